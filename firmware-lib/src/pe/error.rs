// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be wrong with a PE image.

use super::MAX_SECTIONS;
use core::fmt;

/// Why an image has no Authenticode hash. Offsets are in bytes from the start of the file; sections are numbered from 0,
/// in the order of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeError {
    /// The file is too small for a header, or is 4 GiB or more.
    Size {
        /// Its size in bytes.
        found: usize,
    },
    /// There is no PE header where it should be.
    NoPeHeader {
        /// Where that is.
        offset: usize,
    },
    /// The file ends within the header.
    Truncated {
        /// Where the field should be that is missing.
        offset: usize,
    },
    /// The image is not for x86-64.
    Machine {
        /// The machine that it is for.
        found: u16,
    },
    /// The optional header is neither PE32 nor PE32+.
    Magic {
        /// What it starts with.
        found: u16,
    },
    /// There are too many data directories, or not as many as the optional header is long.
    Directories {
        /// How many there are.
        found: u32,
        /// How long the optional header is.
        optional_header: usize,
    },
    /// There are too many sections.
    SectionCount {
        /// How many there are.
        found: usize,
    },
    /// The headers end before the section table does, or not before the file or image.
    HeaderSize {
        /// How long they are.
        found: usize,
        /// Where the section table ends.
        needed: usize,
    },
    /// A section's data is not within the file, or begins within the headers.
    Section {
        /// Which section.
        index: usize,
        /// Where its data starts.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// Two sections share data.
    Overlap {
        /// The one.
        index: usize,
        /// The other.
        other: usize,
    },
    /// The certificate table is not the end of the file.
    Certificates {
        /// Where it starts.
        start: usize,
        /// How long it is.
        size: usize,
    },
}

impl fmt::Display for PeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a PE image that can be measured: ")?;
        match self {
            Self::Size { found } => write!(
                f,
                "expected a file of 64 bytes to 4 GiB, found {found} bytes"
            ),
            Self::NoPeHeader { offset } => write!(
                f,
                "expected a PE header at {offset:#x}, found none (a kernel without CONFIG_EFI_STUB?)"
            ),
            Self::Truncated { offset } => {
                write!(f, "the file ends within the header, before {offset:#x}")
            }
            Self::Machine { found } => write!(
                f,
                "expected an image for x86-64 (machine 0x8664), found machine {found:#06x}"
            ),
            Self::Magic { found } => write!(
                f,
                "expected an optional header of PE32 (0x10b) or PE32+ (0x20b), found {found:#x}"
            ),
            Self::Directories {
                found,
                optional_header,
            } => write!(
                f,
                "{found} data directories do not go with an optional header of {optional_header} bytes"
            ),
            Self::SectionCount { found } => write!(
                f,
                "expected at most {MAX_SECTIONS} sections, found {found}"
            ),
            Self::HeaderSize { found, needed } => write!(
                f,
                "its headers are said to be {found:#x} bytes long; they take {needed:#x}, and must end within file and image"
            ),
            Self::Section { index, start, end } => write!(
                f,
                "the data of section {index}, {start:#x} to {end:#x}, is outside of the file or within the headers"
            ),
            Self::Overlap { index, other } => {
                write!(f, "sections {index} and {other} share data")
            }
            Self::Certificates { start, size } => write!(
                f,
                "the certificate table, {size:#x} bytes at {start:#x}, is not the end of the file"
            ),
        }
    }
}

impl core::error::Error for PeError {}
