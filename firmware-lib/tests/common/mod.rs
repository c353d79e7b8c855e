// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Images made for tests, each with as little in it as a good one has.
#![allow(dead_code)]

/// A section of [`image`].
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) offset: u32,
    pub(crate) raw_size: u32,
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) section_type: u32,
    pub(crate) attributes: u32,
}

pub(crate) const BFV: Section = Section {
    offset: 0x1000,
    raw_size: 0x1000,
    address: 0xffff_f000,
    size: 0x1000,
    section_type: 0,
    attributes: 1,
};

pub(crate) const CFV: Section = Section {
    offset: 0,
    raw_size: 0x1000,
    address: 0xffff_e000,
    size: 0x1000,
    section_type: 1,
    attributes: 0,
};

pub(crate) const TD_HOB: Section = Section {
    offset: 0,
    raw_size: 0,
    address: 0x80_9000,
    size: 0x2000,
    section_type: 2,
    attributes: 0,
};

pub(crate) const TEMP_MEM: Section = Section {
    address: 0x81_0000,
    size: 0x1_0000,
    section_type: 3,
    ..TD_HOB
};

/// Where [`image`] has its descriptor.
pub(crate) const DESCRIPTOR: usize = 0x1800;

/// Where the GUIDed table of [`image`] has the entry for metadata: 4 bytes of data, length, GUID.
pub(crate) const METADATA_ENTRY: usize = FOOTER - 22;

/// Where the last entry of that table is: length, GUID.
pub(crate) const FOOTER: usize = 0x2000 - 32 - 18;

pub(crate) const FOOTER_GUID: [u8; 16] = [
    0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d,
];

pub(crate) const METADATA_GUID: [u8; 16] = [
    0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2,
];

/// Overwrites what is at `offset`.
pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

/// A firmware image of 8 KiB with these sections, whose bytes are the low bytes of their offsets.
pub(crate) fn image(sections: &[Section]) -> Vec<u8> {
    let mut image: Vec<u8> = (0..0x2000).map(|offset| offset as u8).collect();
    let mut descriptor = b"TDVF".to_vec();
    for field in [16 + 32 * sections.len(), 1, sections.len()] {
        descriptor.extend((field as u32).to_le_bytes());
    }
    for section in sections {
        descriptor.extend(section.offset.to_le_bytes());
        descriptor.extend(section.raw_size.to_le_bytes());
        descriptor.extend(section.address.to_le_bytes());
        descriptor.extend(section.size.to_le_bytes());
        descriptor.extend(section.section_type.to_le_bytes());
        descriptor.extend(section.attributes.to_le_bytes());
    }
    put(&mut image, DESCRIPTOR, &descriptor);
    let distance = (0x2000 - DESCRIPTOR) as u32;
    put(&mut image, METADATA_ENTRY, &distance.to_le_bytes());
    put(&mut image, METADATA_ENTRY + 4, &22_u16.to_le_bytes());
    put(&mut image, METADATA_ENTRY + 6, &METADATA_GUID);
    put(&mut image, FOOTER, &40_u16.to_le_bytes());
    put(&mut image, FOOTER + 2, &FOOTER_GUID);
    image
}

/// A section of [`pe`]: the offset and size of its data in the file.
pub(crate) type PeSection = (u32, u32);

/// Where [`pe`] has its parts.
pub(crate) const PE_HEADER: usize = 0x40;
pub(crate) const PE_OPTIONAL: usize = PE_HEADER + 24;
pub(crate) const PE_CHECKSUM: usize = PE_OPTIONAL + 64;
pub(crate) const PE_CERTIFICATES: usize = PE_OPTIONAL + 112 + 8 * 4;
pub(crate) const PE_SECTIONS: usize = PE_OPTIONAL + 112 + 8 * 6;
pub(crate) const PE_SIZE_OF_HEADERS: usize = 0x200;

/// A PE32+ image for x86-64 of `size` bytes with these sections and six data directories.
pub(crate) fn pe(sections: &[PeSection], size: usize) -> Vec<u8> {
    let mut pe: Vec<u8> = (0..size).map(|offset| (offset * 7) as u8).collect();
    pe[..PE_SIZE_OF_HEADERS].fill(0);
    put(&mut pe, 0, b"MZ");
    put(&mut pe, 0x3c, &(PE_HEADER as u32).to_le_bytes());
    put(&mut pe, PE_HEADER, b"PE\0\0");
    put(&mut pe, PE_HEADER + 4, &0x8664_u16.to_le_bytes());
    put(
        &mut pe,
        PE_HEADER + 6,
        &(sections.len() as u16).to_le_bytes(),
    );
    put(&mut pe, PE_HEADER + 20, &(112_u16 + 48).to_le_bytes());
    put(&mut pe, PE_OPTIONAL, &0x20b_u16.to_le_bytes());
    put(&mut pe, PE_OPTIONAL + 56, &0x10_0000_u32.to_le_bytes());
    put(
        &mut pe,
        PE_OPTIONAL + 60,
        &(PE_SIZE_OF_HEADERS as u32).to_le_bytes(),
    );
    put(&mut pe, PE_CHECKSUM, &0x1234_5678_u32.to_le_bytes());
    put(&mut pe, PE_OPTIONAL + 68, &10_u16.to_le_bytes());
    put(&mut pe, PE_OPTIONAL + 108, &6_u32.to_le_bytes());
    for (index, (start, size)) in sections.iter().enumerate() {
        let header = PE_SECTIONS + 40 * index;
        put(&mut pe, header + 12, &(0x1000 + *start).to_le_bytes());
        put(&mut pe, header + 16, &size.to_le_bytes());
        put(&mut pe, header + 20, &start.to_le_bytes());
    }
    pe
}
