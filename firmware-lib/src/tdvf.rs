// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDVF metadata: what a virtual firmware image tells the VMM about the initial memory of its TD.
//!
//! The metadata sits inside the image. A table of GUIDed entries, which ends 32 bytes before the image does, holds the
//! distance of the TDVF descriptor from the image's end; the descriptor lists sections: which bytes of the image become
//! which guest memory, and what of it the TDX module measures into MRTD. td-shim images without that table name the
//! descriptor's offset in the 4 bytes that are 32 before the end.
//!
//! [`Tdvf::parse`] checks the whole of it before anything is handed out, for any bytes, in bounded time.
//!
//! Sources: *Intel TDX Virtual Firmware Design Guide*, chapter "TDVF Metadata"; *TD-Shim Specification*, chapter
//! "TD-Shim Image Format", for the section types from 4 on; QEMU's `hw/i386/tdvf.c` and `pc_sysfw_ovmf.c`.
//!
//! ```
//! use tdx_firmware::tdvf::{Tdvf, TdvfError};
//!
//! assert_eq!(Tdvf::parse(&[0; 64]).err(), Some(TdvfError::NoDescriptor { offset: 0 }));
//! ```

mod error;
mod locate;
mod section;

pub use error::TdvfError;
pub use section::{Section, SectionAttributes, SectionType};

use core::fmt;
use section::RawSection;
use zerocopy::little_endian::U32;
use zerocopy::FromBytes;
use zerocopy_derive::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The most sections that an image may have here. edk2's has 6 or 7, td-shim's about 10; the format has no limit.
pub const MAX_SECTIONS: usize = 64;

/// The size of the pages that a VMM adds to a TD.
pub const PAGE_SIZE: u64 = 4096;

/// The first address above the reset vector, where images end.
const FOUR_GIB: u64 = 1 << 32;

/// Where a TD's vCPUs start.
const RESET_VECTOR: u64 = FOUR_GIB - 16;

/// The head of the TDVF descriptor.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Descriptor {
    signature: [u8; 4],
    /// Of the descriptor, in bytes, with its sections.
    length: U32,
    version: U32,
    section_count: U32,
}

/// The metadata of a virtual firmware image, checked.
///
/// # Invariants
///
/// Every section passed the checks of [`Tdvf::parse`].
#[derive(Clone, Copy)]
pub struct Tdvf<'a> {
    image: &'a [u8],
    sections: &'a [RawSection],
}

impl fmt::Debug for Tdvf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tdvf")
            .field("size", &self.image.len())
            .field("sections", &self.sections)
            .finish_non_exhaustive()
    }
}

impl<'a> Tdvf<'a> {
    /// Finds and checks the metadata of `image`, the whole firmware file.
    ///
    /// # Errors
    ///
    /// [`TdvfError`] says what does not hold. Besides what cannot be read at all, refused are: sections whose memory is
    /// not whole pages, wraps, overlaps another's or is smaller than their data; data that is not in the image; data
    /// where there must be none and none where there must be some; unknown types and attributes; more than one TD HOB;
    /// images whose reset vector no BFV covers.
    pub fn parse(image: &'a [u8]) -> Result<Self, TdvfError> {
        let sections = read_sections(image, locate::descriptor(image)?)?;
        // INVARIANT: The three checks below are those that the function promises.
        let tdvf = Self { image, sections };
        for (index, raw) in sections.iter().enumerate() {
            raw.check(index, image)?;
        }
        tdvf.check_overlaps()?;
        tdvf.check_roles()?;
        Ok(tdvf)
    }

    /// The whole firmware file.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The sections, in the order of the metadata, in which VMMs load them.
    pub fn sections(&self) -> impl DoubleEndedIterator<Item = Section<'a>> + Clone + use<'a> {
        let image = self.image;
        self.sections.iter().filter_map(move |raw| raw.typed(image))
    }

    /// The first section of that type.
    pub fn find(&self, section_type: SectionType) -> Option<Section<'a>> {
        self.sections()
            .find(|section| section.section_type == section_type)
    }

    /// The configuration firmware volume: the UEFI variables that the image comes with, which TDVF measures into RTMR0.
    pub fn cfv(&self) -> Option<Section<'a>> {
        self.find(SectionType::Cfv)
    }

    /// Whether QEMU takes the image. It wants two sections at least, one of them for the TD HOB, and none of the types
    /// that td-shim added.
    ///
    /// # Errors
    ///
    /// What QEMU will not take.
    pub fn check_for_qemu(&self) -> Result<(), TdvfError> {
        if self.sections.len() < 2 {
            return Err(TdvfError::SectionCount {
                found: self.sections.len() as u32,
            });
        }
        for (index, section) in self.sections().enumerate() {
            match section.section_type {
                SectionType::Bfv | SectionType::Cfv | SectionType::TdHob | SectionType::TempMem => {
                }
                other => {
                    return Err(TdvfError::SectionType {
                        index,
                        found: other as u32,
                    })
                }
            }
        }
        self.find(SectionType::TdHob)
            .map(drop)
            .ok_or(TdvfError::NoTdHob)
    }

    fn check_overlaps(&self) -> Result<(), TdvfError> {
        for (index, one) in self.sections().enumerate() {
            for (other_index, other) in self.sections().enumerate().take(index) {
                // Ends do not wrap, as each section's own check made sure.
                if one.address < other.address + other.size
                    && other.address < one.address + one.size
                {
                    return Err(TdvfError::Overlap {
                        index: other_index,
                        other: index,
                    });
                }
            }
        }
        Ok(())
    }

    fn check_roles(&self) -> Result<(), TdvfError> {
        let count = |wanted| {
            self.sections()
                .filter(|section| section.section_type == wanted)
                .count()
        };
        if count(SectionType::TdHob) > 1 {
            return Err(TdvfError::SeveralTdHobs);
        }
        let starts = self.sections().any(|section| {
            section.section_type == SectionType::Bfv
                && section.address <= RESET_VECTOR
                && section.address + section.size >= FOUR_GIB
        });
        if starts {
            Ok(())
        } else {
            Err(TdvfError::NoResetVector)
        }
    }
}

/// The sections of the descriptor at `offset`, unchecked.
fn read_sections(image: &[u8], offset: usize) -> Result<&[RawSection], TdvfError> {
    let missing = TdvfError::NoDescriptor { offset };
    let (descriptor, rest) = image
        .get(offset..)
        .and_then(|bytes| Descriptor::ref_from_prefix(bytes).ok())
        .ok_or(missing)?;
    if descriptor.signature != *b"TDVF" {
        return Err(missing);
    }
    if descriptor.version.get() != 1 {
        return Err(TdvfError::Version {
            found: descriptor.version.get(),
        });
    }
    let count = descriptor.section_count.get();
    if count == 0 || count as usize > MAX_SECTIONS {
        return Err(TdvfError::SectionCount { found: count });
    }
    // At most 64 sections: nothing here can overflow.
    let expected = (size_of::<Descriptor>() + count as usize * size_of::<RawSection>()) as u32;
    if descriptor.length.get() != expected {
        return Err(TdvfError::Length {
            found: descriptor.length.get(),
            expected,
        });
    }
    <[RawSection]>::ref_from_prefix_with_elems(rest, count as usize)
        .map(|(sections, _)| sections)
        .map_err(|_| TdvfError::Truncated { sections: count })
}
