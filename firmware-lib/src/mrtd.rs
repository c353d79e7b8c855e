// SPDX-License-Identifier: Apache-2.0 OR MIT

//! MRTD: the measurement of what a TD starts with.
//!
//! MRTD is one running SHA-384 over records of what the VMM asked the TDX module to add and to measure. It tells where
//! pages were added, what is in those that were measured, and in which order, so that it depends on the VMM, too: there is
//! one [`RecordOrder`] for each that is known.
//!
//! Source: *Intel TDX Module Base Architecture Specification*, chapter "Measurement and Attestation", section "MRTD:
//! Build-Time Measurement Register", and the leaves TDH.MEM.PAGE.ADD and TDH.MR.EXTEND of the ABI specification.

use crate::tdvf::{Section, SectionAttributes, Tdvf, PAGE_SIZE};
use crate::{HashEngine, Hasher};
use tdx_uapi::Digest;

/// How much TDH.MR.EXTEND measures at once, in bytes.
pub const CHUNK_SIZE: usize = 256;

/// In which order a VMM adds the pages of a section and has them measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordOrder {
    /// Each page is measured as soon as it was added. Linux's KVM since 6.16 and with it QEMU since 10.1, the *TD-Shim
    /// Specification*, and most of what came before them.
    PageByPage,
    /// All pages of a section are added before any is measured. KVM's patches for TDX in their version 19 and QEMU's in
    /// their version 5: QEMU 8.2 as Ubuntu 24.04 patched it for TDX.
    AddsFirst,
}

/// MRTD while a TD is built.
#[derive(Clone, Debug)]
pub struct MrtdHasher<H>(H);

impl<H: Hasher> MrtdHasher<H> {
    /// MRTD before anything was added.
    pub fn new(engine: &impl HashEngine<Hasher = H>) -> Self {
        Self(engine.hasher())
    }

    /// TDH.MEM.PAGE.ADD: a page was added at the guest physical address `gpa`. What is in it does not count.
    pub fn page_add(&mut self, gpa: u64) {
        self.0.update(&record(b"MEM.PAGE.ADD", gpa));
    }

    /// TDH.MR.EXTEND: the 256 bytes at the guest physical address `gpa` were measured.
    pub fn extend(&mut self, gpa: u64, chunk: &[u8; CHUNK_SIZE]) {
        self.0.update(&record(b"MR.EXTEND", gpa));
        self.0.update(chunk);
    }

    /// TDH.MR.FINALIZE: nothing more is added.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }

    /// Adds and measures `section` as its attributes say.
    pub fn section(&mut self, section: &Section<'_>, order: RecordOrder) {
        if !section.is_added() {
            return;
        }
        let measured = section.attributes.contains(SectionAttributes::MR_EXTEND);
        match order {
            RecordOrder::PageByPage => {
                for page in pages(section) {
                    self.page_add(page);
                    if measured {
                        self.extend_page(section, page);
                    }
                }
            }
            RecordOrder::AddsFirst => {
                pages(section).for_each(|page| self.page_add(page));
                if measured {
                    pages(section).for_each(|page| self.extend_page(section, page));
                }
            }
        }
    }

    fn extend_page(&mut self, section: &Section<'_>, page: u64) {
        for gpa in (page..page + PAGE_SIZE).step_by(CHUNK_SIZE) {
            // What the data does not fill is zeros.
            let mut chunk = [0; CHUNK_SIZE];
            let offset = usize::try_from(gpa - section.address).unwrap_or(usize::MAX);
            if let Some(data) = section.data.get(offset..) {
                let length = data.len().min(CHUNK_SIZE);
                chunk[..length].copy_from_slice(&data[..length]);
            }
            self.extend(gpa, &chunk);
        }
    }
}

/// The MRTD of a TD that starts with the firmware `tdvf`.
///
/// It takes a hash over one and a half times of what is measured of the image. Sections of zeros that are not measured can
/// be large: bound their size (the sum of [`Section::size`]) for images from untrusted sources.
pub fn mrtd(engine: &impl HashEngine, tdvf: &Tdvf<'_>, order: RecordOrder) -> Digest {
    let mut mrtd = MrtdHasher::new(engine);
    for section in tdvf.sections() {
        mrtd.section(&section, order);
    }
    mrtd.finish()
}

/// The addresses of the section's pages, from the lowest on.
fn pages(section: &Section<'_>) -> impl Iterator<Item = u64> {
    section.range().step_by(PAGE_SIZE as usize)
}

/// What goes into the hash for each call: 16 bytes of name, the address, and zeros.
fn record(name: &[u8], gpa: u64) -> [u8; 128] {
    let mut record = [0; 128];
    record[..name.len()].copy_from_slice(name);
    record[16..24].copy_from_slice(&gpa.to_le_bytes());
    record
}
