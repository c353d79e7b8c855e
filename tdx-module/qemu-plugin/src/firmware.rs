// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The firmware under the guest: whether it is a TDVF, and what it was when the machine was switched on.

use crate::memory::MemoryAccess;
use core::ops::Range;
use std::error::Error;
use tdx_call::Gpa;
use tdx_firmware::hob::qemu::write_td_hob;
use tdx_firmware::tdvf::{SectionAttributes, SectionType, Tdvf, TdvfError, PAGE_SIZE};
use tdx_module::TdBuild;

/// Where a PC's firmware ends: at 4 GiB.
const END: u64 = 1 << 32;

/// No firmware is larger.
const MAX_SIZE: u64 = 16 << 20;

/// The bytes of a page.
const PAGE: usize = PAGE_SIZE as usize;

/// A TDVF that lies below 4 GiB.
pub(crate) struct Firmware {
    /// The image as the machine was switched on with it, and what its metadata says.
    tdvf: Tdvf<'static>,
}

impl Firmware {
    /// The firmware of the machine, if it is a TDVF: any other, such as the one that boots a kernel directly, knows
    /// nothing of TDs and is left alone.
    ///
    /// # Errors
    ///
    /// When it says that it is one, but its metadata cannot be right.
    pub(crate) fn find(memory: &MemoryAccess) -> Result<Option<Self>, TdvfError> {
        // Kept as long as QEMU runs: a machine has one firmware.
        let image = read(memory).leak();
        match Tdvf::parse(image) {
            Ok(tdvf) => Ok(Some(Self { tdvf })),
            Err(
                TdvfError::NoMetadataEntry
                | TdvfError::NoDescriptor { .. }
                | TdvfError::ImageSize { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The guest physical addresses of the image.
    pub(crate) fn range(&self) -> Range<u64> {
        END - self.tdvf.image().len() as u64..END
    }

    /// Where the TD HOB is.
    pub(crate) fn hob(&self) -> Gpa {
        let section = self.tdvf.find(SectionType::TdHob);
        Gpa(section.map_or(0, |section| section.address))
    }

    /// Adds the pages that a TD with this firmware starts with.
    ///
    /// # Errors
    ///
    /// When they are not in the TD's memory.
    pub(crate) fn build(&self, build: &mut TdBuild) -> Result<(), Box<dyn Error>> {
        for section in self.tdvf.sections().filter(|section| section.is_added()) {
            let measured = section.attributes.contains(SectionAttributes::MR_EXTEND);
            build.add_pages(section.range(), section.data, measured)?;
        }
        Ok(())
    }

    /// Fills the memory that a TD with this firmware starts with, for a TD whose memory is `ram`.
    ///
    /// The calling vCPU must have paging off.
    ///
    /// # Errors
    ///
    /// When some of the memory is not there.
    pub(crate) fn load(
        &self,
        ram: &[Range<u64>],
        memory: &MemoryAccess,
    ) -> Result<(), Box<dyn Error>> {
        self.restore(memory);
        for section in self.tdvf.sections().filter(|section| section.is_added()) {
            // The image itself is in its place.
            if self.range().contains(&section.address) {
                continue;
            }
            let mut content = vec![0; usize::try_from(section.size)?];
            if section.section_type == SectionType::TdHob {
                write_td_hob(&mut content, &self.tdvf, ram)?;
            } else {
                content[..section.data.len()].copy_from_slice(section.data);
            }
            for (page, content) in section.range().step_by(PAGE).zip(content.chunks(PAGE)) {
                memory.write(Gpa(page), content).map_err(|_| {
                    format!("it needs memory at {page:#x}, where the machine has none")
                })?;
            }
        }
        Ok(())
    }

    /// Makes the image in memory what it was when the machine was switched on. A guest's reset does not.
    fn restore(&self, memory: &MemoryAccess) {
        let pages = self.tdvf.image().chunks(PAGE);
        for (address, original) in self.range().step_by(PAGE).zip(pages) {
            let mut now = [0; PAGE];
            if memory.read(Gpa(address), &mut now).is_err() || now != *original {
                memory.write_virtual(address, original);
            }
        }
    }
}

/// The memory below 4 GiB that is there without a gap.
fn read(memory: &MemoryAccess) -> Vec<u8> {
    let mut page = [0; PAGE];
    let (mut absent, mut present) = (END - MAX_SIZE, END);
    // Memory begins in `absent..=present`.
    while absent < present {
        let middle = absent + (present - absent) / 2 / PAGE_SIZE * PAGE_SIZE;
        if memory.read(Gpa(middle), &mut page).is_ok() {
            present = middle;
        } else {
            absent = middle + PAGE_SIZE;
        }
    }
    let mut image = Vec::with_capacity((END - present) as usize);
    for address in (present..END).step_by(PAGE) {
        if memory.read(Gpa(address), &mut page).is_ok() {
            image.extend(page);
        }
    }
    image
}
