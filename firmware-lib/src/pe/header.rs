// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The header of a PE image.

use super::{PeError, MAX_SECTIONS};
use zerocopy::little_endian::{U16, U32};
use zerocopy::FromBytes;
use zerocopy_derive::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Where an MS-DOS header tells where the PE header is.
const E_LFANEW: usize = 0x3c;

/// The size of an MS-DOS header.
const DOS_HEADER: usize = 64;

/// The number of the certificate table among the data directories.
const CERTIFICATES: u32 = 4;

/// The most data directories there are.
const MAX_DIRECTORIES: u32 = 16;

/// The optional header's offsets that PE32 and PE32+ share.
const SIZE_OF_IMAGE: usize = 56;
const SIZE_OF_HEADERS: usize = 60;
const CHECKSUM: usize = 64;
const SUBSYSTEM: usize = 68;

/// The machine of x86-64.
const X86_64: u16 = 0x8664;

/// The PE header up to the optional header.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    signature: [u8; 4],
    machine: U16,
    section_count: U16,
    timestamp: U32,
    symbol_table: U32,
    symbol_count: U32,
    optional_header_size: U16,
    characteristics: U16,
}

/// An entry of the section table.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SectionHeader {
    name: [u8; 8],
    virtual_size: U32,
    virtual_address: U32,
    raw_size: U32,
    raw_start: U32,
    unused: [u8; 16],
}

/// A section that has data in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Its number in the section table.
    pub(super) index: usize,
    /// The offset of its data.
    pub(super) start: usize,
    /// Where its data ends.
    pub(super) end: usize,
    /// Its address in the loaded image.
    pub(super) address: usize,
    /// Its size in the loaded image.
    pub(super) virtual_size: usize,
    /// Its name, with zeros behind it.
    pub(super) name: [u8; 8],
}

/// What of the header counts for the hash. All are offsets in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Of the checksum.
    pub(super) checksum: usize,
    /// Of the certificate table's directory entry.
    pub(super) certificate_entry: Option<usize>,
    /// The certificate table's offset and size.
    pub(super) certificates: Option<(usize, usize)>,
    pub(super) size_of_headers: usize,
    pub(super) subsystem: u16,
    /// Where the string table is, if there is one.
    pub(super) strings: Option<usize>,
    section_table: usize,
    section_count: usize,
}

impl Header {
    /// Reads and checks the header. Everything it names lies within `size_of_headers`, which lies within `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PeError> {
        if bytes.len() < DOS_HEADER || u32::try_from(bytes.len()).is_err() {
            return Err(PeError::Size { found: bytes.len() });
        }
        // Without an MS-DOS header the PE header comes first.
        let start = if bytes.starts_with(b"MZ") {
            read_u32(bytes, E_LFANEW)? as usize
        } else {
            0
        };
        let (file, _) = bytes
            .get(start..)
            .and_then(|rest| FileHeader::ref_from_prefix(rest).ok())
            .filter(|(file, _)| file.signature == *b"PE\0\0")
            .ok_or(PeError::NoPeHeader { offset: start })?;
        if file.machine.get() != X86_64 {
            return Err(PeError::Machine {
                found: file.machine.get(),
            });
        }

        // `start` is within `bytes`, which are fewer than 4 GiB: sums of it and small numbers do not overflow.
        let optional = start + size_of::<FileHeader>();
        let magic = read_u16(bytes, optional)?;
        // Where the data directories start.
        let fixed_size = match magic {
            0x10b => 96,
            0x20b => 112,
            found => return Err(PeError::Magic { found }),
        };
        let directories = read_u32(bytes, optional + fixed_size - 4)?;
        let optional_size = usize::from(file.optional_header_size.get());
        if directories > MAX_DIRECTORIES || optional_size != fixed_size + 8 * directories as usize {
            return Err(PeError::Directories {
                found: directories,
                optional_header: optional_size,
            });
        }

        let section_count = usize::from(file.section_count.get());
        if section_count > MAX_SECTIONS {
            return Err(PeError::SectionCount {
                found: section_count,
            });
        }
        let section_table = optional + optional_size;
        let table_end = section_table + section_count * size_of::<SectionHeader>();
        let size_of_headers = read_u32(bytes, optional + SIZE_OF_HEADERS)? as usize;
        let size_of_image = read_u32(bytes, optional + SIZE_OF_IMAGE)? as usize;
        if size_of_headers <= section_table
            || size_of_headers < table_end
            || size_of_headers > bytes.len()
            || size_of_headers >= size_of_image
            || (size_of_image - section_table) / size_of::<SectionHeader>() <= section_count
        {
            return Err(PeError::HeaderSize {
                found: size_of_headers,
                needed: table_end,
            });
        }

        let certificate_entry = (directories > CERTIFICATES)
            .then_some(optional + fixed_size + 8 * CERTIFICATES as usize);
        let certificates = match certificate_entry {
            Some(entry) => Some((
                read_u32(bytes, entry)? as usize,
                read_u32(bytes, entry + 4)? as usize,
            )),
            None => None,
        };
        Ok(Self {
            checksum: optional + CHECKSUM,
            certificate_entry,
            certificates,
            size_of_headers,
            subsystem: read_u16(bytes, optional + SUBSYSTEM)?,
            strings: strings(file),
            section_table,
            section_count,
        })
    }

    /// The sections that have data in the file, in the order of the table.
    pub(super) fn sections<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Section> + use<'a> {
        bytes
            .get(self.section_table..)
            .and_then(|rest| {
                <[SectionHeader]>::ref_from_prefix_with_elems(rest, self.section_count).ok()
            })
            .map_or(&[][..], |(sections, _)| sections)
            .iter()
            .enumerate()
            .filter(|(_, section)| section.raw_size.get() != 0)
            .map(|(index, section)| {
                let start = section.raw_start.get() as usize;
                Section {
                    index,
                    start,
                    end: start.saturating_add(section.raw_size.get() as usize),
                    address: section.virtual_address.get() as usize,
                    virtual_size: section.virtual_size.get() as usize,
                    name: section.name,
                }
            })
    }
}

/// Where the string table is: behind the symbols.
fn strings(file: &FileHeader) -> Option<usize> {
    const SYMBOL: usize = 18;
    let symbols = file.symbol_table.get() as usize;
    let size = (file.symbol_count.get() as usize).checked_mul(SYMBOL)?;
    symbols.checked_add(size).filter(|_| symbols != 0)
}

fn read_u16(bytes: &[u8], offset: usize) -> Result<u16, PeError> {
    let found = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    found
        .map(|bytes| u16::from_le_bytes(*bytes))
        .ok_or(PeError::Truncated { offset })
}

fn read_u32(bytes: &[u8], offset: usize) -> Result<u32, PeError> {
    let found = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    found
        .map(|bytes| u32::from_le_bytes(*bytes))
        .ok_or(PeError::Truncated { offset })
}
