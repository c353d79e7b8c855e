// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The TD HOB: the list of hand-off blocks by which the VMM tells the virtual firmware of a TD about its memory.
//!
//! The host writes it, so it is hostile: copy it into private memory once, then [`TdHob::parse`] the copy, measure
//! [`TdHob::measured`], and only then believe it. Every bound is checked, which edk2 leaves to the list's length fields.
//!
//! [`TdHobBuilder`] writes such a list, and `qemu` (with feature `tdvf`) the one that QEMU would: what a VMM needs to start a TD, and a
//! verifier to know what the firmware will measure.
//!
//! Sources: *UEFI Platform Initialization Specification*, volume 3, chapter "HOB Design Discussion" and those after it;
//! *Intel TDX Virtual Firmware Design Guide*, chapter "TD Hand-Off Block"; edk2's `SecTdxHelper.c` and `PiHob.h`;
//! QEMU's `hw/i386/tdvf-hob.c`.
//!
//! ```
//! use tdx_firmware::hob::{ResourceType, TdHob, TdHobBuilder};
//!
//! let mut area = [0; 256];
//! let mut builder = TdHobBuilder::new(&mut area, 0x80_9000)?;
//! builder.memory(ResourceType::MEMORY_UNACCEPTED, 0..0x80_0000)?;
//! let length = builder.finish()?;
//!
//! let hob = TdHob::parse(&area)?;
//! assert_eq!(hob.with_end().len(), length);
//! let resource = hob.resources().next().unwrap();
//! assert_eq!(resource.range(), Some(0..0x80_0000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod entry;
mod error;
#[cfg(feature = "tdvf")]
pub mod qemu;
mod validate;

pub use build::{BuildError, TdHobBuilder};
pub use entry::{Cpu, Handoff, Header, Hob, HobType, Resource, ResourceAttributes, ResourceType};
pub use error::HobError;

use zerocopy::FromBytes;

/// A TD HOB, checked.
///
/// # Invariants
///
/// The list is one of whole HOBs, of known types and right sizes, and ends with an END HOB.
#[derive(Clone, Copy, Debug)]
pub struct TdHob<'a> {
    /// Without the END HOB.
    entries: &'a [u8],
    with_end: &'a [u8],
}

impl<'a> TdHob<'a> {
    /// Checks the list that `area` starts with; what is behind its END HOB is not looked at.
    ///
    /// What edk2's TDVF checks is checked: the reserved fields, lengths, types and boot mode, that the free memory's top
    /// is page aligned, resource types and attributes. Beyond it, as the specification demands, that every HOB is
    /// within `area`, is a multiple of 8 bytes long, and that the hand-off HOB is the first and only one of its kind.
    ///
    /// # Errors
    ///
    /// [`HobError`] says which HOB is wrong, and where it is.
    pub fn parse(area: &'a [u8]) -> Result<Self, HobError> {
        let mut offset = 0;
        loop {
            // `offset` is a sum of lengths that were within `area`.
            let rest = &area[offset..];
            let (header, _) =
                Header::ref_from_prefix(rest).map_err(|_| HobError::NoEnd { offset })?;
            let length = usize::from(header.length.get());
            validate::header(header, offset)?;
            let body = rest.get(..length).ok_or(HobError::Truncated {
                offset,
                length: header.length.get(),
                available: rest.len(),
            })?;
            if validate::entry(header, body, offset)? {
                // INVARIANT: Every HOB up to this END HOB was checked.
                return Ok(Self {
                    entries: &area[..offset],
                    with_end: &area[..offset + length],
                });
            }
            offset += length;
        }
    }

    /// What edk2's TDVF measures into RTMR0: the list without its END HOB.
    pub fn measured(&self) -> &'a [u8] {
        self.entries
    }

    /// The whole list, which is what td-shim measures.
    pub fn with_end(&self) -> &'a [u8] {
        self.with_end
    }

    /// The HOBs, without the END HOB.
    pub fn hobs(&self) -> impl Iterator<Item = Hob<'a>> + Clone + use<'a> {
        let mut rest = self.entries;
        core::iter::from_fn(move || {
            let (header, _) = Header::ref_from_prefix(rest).ok()?;
            let (entry, tail) = rest.split_at_checked(header.length.get().into())?;
            rest = tail;
            Hob::new(header, entry)
        })
    }

    /// The memory and I/O ranges that the VMM tells of.
    pub fn resources(&self) -> impl Iterator<Item = &'a Resource> + Clone + use<'a> {
        self.hobs().filter_map(|hob| match hob {
            Hob::Resource(resource) => Some(resource),
            _ => None,
        })
    }
}
