// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Sections of the TDVF metadata.

use super::{TdvfError, PAGE_SIZE};
use core::fmt;
use core::ops::Range;
use zerocopy::little_endian::{U32, U64};
use zerocopy_derive::{FromBytes, Immutable, KnownLayout, Unaligned};

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SectionType {
    /// Boot firmware volume: the code, which starts at the reset vector.
    Bfv = 0,
    /// Configuration firmware volume: the UEFI variables.
    Cfv = 1,
    /// Where the VMM writes the TD HOB. Starts as zeros otherwise.
    TdHob = 2,
    /// Memory that is there from the start, as zeros.
    TempMem = 3,
    /// Memory that the VMM gives to the TD but does not add: the TD has to accept it.
    PermMem = 4,
    /// A payload, such as a kernel.
    Payload = 5,
    /// Parameters of the payload, such as a command line.
    PayloadParam = 6,
    /// A description of the firmware, inside the BFV. Has no memory of its own.
    TdInfo = 7,
    /// Parameters of the TD, inside the BFV. Has no memory of its own.
    TdParams = 8,
}

impl SectionType {
    fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Bfv,
            1 => Self::Cfv,
            2 => Self::TdHob,
            3 => Self::TempMem,
            4 => Self::PermMem,
            5 => Self::Payload,
            6 => Self::PayloadParam,
            7 => Self::TdInfo,
            8 => Self::TdParams,
            _ => return None,
        })
    }
}

impl fmt::Display for SectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bfv => "BFV",
            Self::Cfv => "CFV",
            Self::TdHob => "TD_HOB",
            Self::TempMem => "TempMem",
            Self::PermMem => "PermMem",
            Self::Payload => "Payload",
            Self::PayloadParam => "PayloadParam",
            Self::TdInfo => "TdInfo",
            Self::TdParams => "TdParams",
        })
    }
}

bitflags::bitflags! {
    /// How a VMM brings a section into the TD.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SectionAttributes: u32 {
        /// The content goes into MRTD, by TDH.MR.EXTEND.
        const MR_EXTEND = 1 << 0;
        /// The pages are given by TDH.MEM.PAGE.AUG, for the TD to accept, instead of added by TDH.MEM.PAGE.ADD.
        const PAGE_AUG = 1 << 1;
    }
}

/// A section of a checked image.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    /// What it is for.
    pub section_type: SectionType,
    /// How it comes into the TD.
    pub attributes: SectionAttributes,
    /// Its guest physical address, a multiple of 4096.
    pub address: u64,
    /// How much guest memory it takes, in bytes, a multiple of 4096. `address + size` does not wrap.
    pub size: u64,
    /// Where its data is in the image, in bytes. 0 where there is none.
    pub data_offset: u32,
    /// What the memory starts with, at most `size` bytes; the rest of it is zeros.
    pub data: &'a [u8],
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("section_type", &self.section_type)
            .field("attributes", &self.attributes)
            .field("range", &self.range())
            .field("data_offset", &self.data_offset)
            .field("data_size", &self.data.len())
            .finish()
    }
}

impl Section<'_> {
    /// The guest memory that it takes.
    pub fn range(&self) -> Range<u64> {
        self.address..self.address + self.size
    }

    /// Whether the VMM adds its pages to the TD before that starts, rather than leaving them to be accepted.
    pub fn is_added(&self) -> bool {
        !self.attributes.contains(SectionAttributes::PAGE_AUG)
    }
}

/// A section as it is in the image.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawSection {
    data_offset: U32,
    raw_data_size: U32,
    memory_address: U64,
    memory_data_size: U64,
    section_type: U32,
    attributes: U32,
}

impl RawSection {
    /// Checks what can be seen without the other sections.
    pub(super) fn check(&self, index: usize, image: &[u8]) -> Result<(), TdvfError> {
        let (address, size) = (self.memory_address.get(), self.memory_data_size.get());
        let raw_size = self.raw_data_size.get();
        let section_type =
            SectionType::new(self.section_type.get()).ok_or(TdvfError::SectionType {
                index,
                found: self.section_type.get(),
            })?;
        let attributes =
            SectionAttributes::from_bits(self.attributes.get()).ok_or(TdvfError::Attributes {
                index,
                found: self.attributes.get(),
            })?;

        for value in [address, size] {
            if value % PAGE_SIZE != 0 {
                return Err(TdvfError::Alignment {
                    index,
                    found: value,
                });
            }
        }
        if address.checked_add(size).is_none() {
            return Err(TdvfError::Wraps { index });
        }
        self.data(image).ok_or(TdvfError::Data {
            index,
            offset: self.data_offset.get(),
            size: raw_size,
        })?;

        let has_data = raw_size != 0;
        let good_data = match section_type {
            SectionType::Bfv | SectionType::Cfv => has_data,
            SectionType::TdHob | SectionType::TempMem | SectionType::PermMem => !has_data,
            SectionType::Payload | SectionType::PayloadParam => true,
            // These are part of the BFV, which brings them into memory.
            SectionType::TdInfo | SectionType::TdParams => has_data && address == 0 && size == 0,
        };
        let in_bfv = matches!(section_type, SectionType::TdInfo | SectionType::TdParams);
        if !good_data || (!has_data && self.data_offset.get() != 0) {
            return Err(TdvfError::DataOfType {
                index,
                section_type,
                size: raw_size,
            });
        }
        if !in_bfv && size < raw_size.into() {
            return Err(TdvfError::MemorySize {
                index,
                memory: size,
                data: raw_size,
            });
        }
        // Pages that are not added can neither bring content nor be measured.
        let aug = attributes.contains(SectionAttributes::PAGE_AUG);
        let good_attributes = aug == (section_type == SectionType::PermMem)
            && !(aug && attributes.contains(SectionAttributes::MR_EXTEND));
        if good_attributes {
            Ok(())
        } else {
            Err(TdvfError::Attributes {
                index,
                found: self.attributes.get(),
            })
        }
    }

    /// The section with its data; `None` only for one that was not checked.
    pub(super) fn typed<'a>(&self, image: &'a [u8]) -> Option<Section<'a>> {
        Some(Section {
            section_type: SectionType::new(self.section_type.get())?,
            attributes: SectionAttributes::from_bits(self.attributes.get())?,
            address: self.memory_address.get(),
            size: self.memory_data_size.get(),
            data_offset: self.data_offset.get(),
            data: self.data(image)?,
        })
    }

    fn data<'a>(&self, image: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.data_offset.get() as usize;
        let end = start.checked_add(self.raw_data_size.get() as usize)?;
        image.get(start..end)
    }
}
