// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be wrong with TDVF metadata.

use super::{SectionType, MAX_SECTIONS};
use core::fmt;

/// Why an image is not taken for a virtual firmware of a TD. Sections are numbered from 0, in the order of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TdvfError {
    /// The image is too small to hold metadata, or is 4 GiB or more.
    ImageSize {
        /// Its size in bytes.
        found: usize,
    },
    /// The table of GUIDed entries does not fit in the image.
    TableLength {
        /// The length that its footer gives.
        found: usize,
    },
    /// An entry of the table does not fit in the table, or not what it holds in the entry.
    EntryLength {
        /// The length that the entry gives.
        found: usize,
    },
    /// The table has no entry for TDVF metadata: this is firmware, but not for a TD.
    NoMetadataEntry,
    /// The metadata would begin before the image does.
    MetadataOffset {
        /// The distance from the image's end that the table gives.
        found: u32,
    },
    /// There is no TDVF descriptor where it should be.
    NoDescriptor {
        /// Where that is, in bytes from the image's start.
        offset: usize,
    },
    /// The descriptor's version is not 1.
    Version {
        /// What it is.
        found: u32,
    },
    /// There are no sections, or too many, or too few for QEMU.
    SectionCount {
        /// How many there are.
        found: u32,
    },
    /// The descriptor's length does not fit its number of sections.
    Length {
        /// The length that it gives.
        found: u32,
        /// What its sections take.
        expected: u32,
    },
    /// The image ends within the sections.
    Truncated {
        /// How many there should be.
        sections: u32,
    },
    /// The type is unknown, or unknown to QEMU.
    SectionType {
        /// Which section.
        index: usize,
        /// Its type.
        found: u32,
    },
    /// Attributes are unknown or do not go with each other or the type.
    Attributes {
        /// Which section.
        index: usize,
        /// Its attributes.
        found: u32,
    },
    /// The address or size of a section's memory is not a multiple of 4096.
    Alignment {
        /// Which section.
        index: usize,
        /// The address or size.
        found: u64,
    },
    /// A section's memory goes past the end of the address space.
    Wraps {
        /// Which section.
        index: usize,
    },
    /// A section's data is not within the image.
    Data {
        /// Which section.
        index: usize,
        /// Where the data should be.
        offset: u32,
        /// How many bytes it should be.
        size: u32,
    },
    /// A section has data that its type must not have, or none where it must have some.
    DataOfType {
        /// Which section.
        index: usize,
        /// Its type.
        section_type: SectionType,
        /// How many bytes of data it has.
        size: u32,
    },
    /// A section has more data than memory.
    MemorySize {
        /// Which section.
        index: usize,
        /// The size of its memory.
        memory: u64,
        /// The size of its data.
        data: u32,
    },
    /// Two sections share memory.
    Overlap {
        /// The one.
        index: usize,
        /// The other.
        other: usize,
    },
    /// There is more than one section for the TD HOB.
    SeveralTdHobs,
    /// There is no section for the TD HOB, which QEMU requires.
    NoTdHob,
    /// No BFV covers FFFFFFF0h, where a TD's vCPUs start.
    NoResetVector,
}

impl fmt::Display for TdvfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a TDVF image: ")?;
        match self {
            Self::ImageSize { found } => write!(
                f,
                "expected a whole firmware file of less than 4 GiB, found {found} bytes"
            ),
            Self::TableLength { found } => write!(
                f,
                "the table of GUIDed entries at its end does not fit: its length is {found}"
            ),
            Self::EntryLength { found } => write!(
                f,
                "an entry in the table of GUIDed entries has the bad length {found}"
            ),
            Self::NoMetadataEntry => f.write_str(
                "no entry e47a6535-984a-4798-865e-4685a7bf8ec2 for TDX metadata (firmware built without TDX support?)",
            ),
            Self::MetadataOffset { found } => write!(
                f,
                "its metadata should be {found:#x} bytes from its end, which is before its start"
            ),
            Self::NoDescriptor { offset } => {
                write!(f, "expected a TDVF descriptor at {offset:#x}, found none")
            }
            Self::Version { found } => {
                write!(f, "expected a descriptor of version 1, found {found}")
            }
            Self::SectionCount { found } => write!(
                f,
                "expected 1 to {MAX_SECTIONS} sections (2 at least for QEMU), found {found}"
            ),
            Self::Length { found, expected } => write!(
                f,
                "expected a descriptor of {expected} bytes for its sections, found {found}"
            ),
            Self::Truncated { sections } => {
                write!(f, "it ends within the descriptor's {sections} sections")
            }
            Self::SectionType { index, found } => {
                write!(f, "section {index} has the unsupported type {found}")
            }
            Self::Attributes { index, found } => {
                write!(f, "section {index} has the bad attributes {found:#x}")
            }
            Self::Alignment { index, found } => write!(
                f,
                "section {index} is not made of whole pages: {found:#x} is no multiple of 4096"
            ),
            Self::Wraps { index } => {
                write!(f, "section {index} ends past the end of the address space")
            }
            Self::Data { index, offset, size } => write!(
                f,
                "section {index} has its data, {size:#x} bytes at {offset:#x}, outside of the image"
            ),
            Self::DataOfType {
                index,
                section_type,
                size,
            } => write!(
                f,
                "section {index} is {section_type}, which cannot have {size:#x} bytes of data there"
            ),
            Self::MemorySize {
                index,
                memory,
                data,
            } => write!(
                f,
                "section {index} has {data:#x} bytes of data for {memory:#x} bytes of memory"
            ),
            Self::Overlap { index, other } => {
                write!(f, "sections {index} and {other} share memory")
            }
            Self::SeveralTdHobs => f.write_str("more than one section is for the TD HOB"),
            Self::NoTdHob => f.write_str("no section is for the TD HOB, which QEMU requires"),
            Self::NoResetVector => f.write_str("no BFV covers the reset vector at 0xfffffff0"),
        }
    }
}

impl core::error::Error for TdvfError {}
