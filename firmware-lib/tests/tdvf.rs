// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which firmware images are taken for those of a TD.

mod common;

use common::{image, put, Section, BFV, CFV, DESCRIPTOR, FOOTER, METADATA_ENTRY, TD_HOB, TEMP_MEM};
use proptest::prelude::*;
use tdx_firmware::tdvf::{SectionAttributes, SectionType, Tdvf, TdvfError};

const GOOD: [Section; 4] = [BFV, CFV, TD_HOB, TEMP_MEM];

fn error(image: &[u8]) -> TdvfError {
    Tdvf::parse(image).expect_err("the image should be refused")
}

fn error_of(sections: &[Section]) -> TdvfError {
    error(&image(sections))
}

#[test]
fn sections_come_in_the_order_of_the_metadata() {
    let image = image(&GOOD);
    let tdvf = Tdvf::parse(&image).unwrap();
    let types: Vec<_> = tdvf
        .sections()
        .map(|section| section.section_type)
        .collect();
    assert_eq!(
        types,
        [
            SectionType::Bfv,
            SectionType::Cfv,
            SectionType::TdHob,
            SectionType::TempMem
        ]
    );
    let bfv = tdvf.sections().next().unwrap();
    assert_eq!(bfv.data, &image[0x1000..]);
    assert_eq!(bfv.attributes, SectionAttributes::MR_EXTEND);
    assert_eq!(bfv.range(), 0xffff_f000..0x1_0000_0000);
    assert_eq!(tdvf.check_for_qemu(), Ok(()));
}

#[test]
fn td_shim_names_the_descriptor_without_a_table() {
    let mut image = image(&GOOD);
    image[FOOTER..FOOTER + 18].fill(0);
    put(&mut image, 0x2000 - 32, &(DESCRIPTOR as u32).to_le_bytes());
    assert_eq!(Tdvf::parse(&image).unwrap().sections().count(), 4);
}

#[test]
fn the_entry_for_metadata_is_found_behind_others() {
    let mut image = image(&GOOD);
    // An entry of 30 bytes after it, so that it moves towards the start.
    image.copy_within(METADATA_ENTRY..METADATA_ENTRY + 22, METADATA_ENTRY - 30);
    image[METADATA_ENTRY - 8..FOOTER].fill(0);
    put(&mut image, FOOTER - 18, &30_u16.to_le_bytes());
    put(&mut image, FOOTER, &70_u16.to_le_bytes());
    assert_eq!(Tdvf::parse(&image).unwrap().sections().count(), 4);
}

#[test]
fn stops_on_a_zero_length_entry() {
    let mut image = image(&GOOD);
    put(&mut image, METADATA_ENTRY + 4, &[0; 18]);
    assert_eq!(error(&image), TdvfError::EntryLength { found: 0 });
}

#[test]
fn a_table_without_the_entry_is_no_td_firmware() {
    let mut image = image(&GOOD);
    image[METADATA_ENTRY + 6] ^= 1;
    assert_eq!(error(&image), TdvfError::NoMetadataEntry);
}

#[test]
fn tables_and_entries_must_fit() {
    for (length, expected) in [
        (17, TdvfError::TableLength { found: 17 }),
        (u16::MAX, TdvfError::TableLength { found: 65535 }),
    ] {
        let mut image = image(&GOOD);
        put(&mut image, FOOTER, &length.to_le_bytes());
        assert_eq!(error(&image), expected);
    }
    let mut image = image(&GOOD);
    put(&mut image, METADATA_ENTRY + 4, &23_u16.to_le_bytes());
    assert_eq!(error(&image), TdvfError::EntryLength { found: 23 });
}

#[test]
fn the_descriptor_must_be_in_the_image() {
    let mut image = image(&GOOD);
    put(&mut image, METADATA_ENTRY, &0x2001_u32.to_le_bytes());
    assert_eq!(error(&image), TdvfError::MetadataOffset { found: 0x2001 });
    put(&mut image, METADATA_ENTRY, &15_u32.to_le_bytes());
    let offset = 0x2000 - 15;
    assert_eq!(error(&image), TdvfError::NoDescriptor { offset });
    put(&mut image, METADATA_ENTRY, &0x7ff_u32.to_le_bytes());
    let offset = DESCRIPTOR + 1;
    assert_eq!(error(&image), TdvfError::NoDescriptor { offset });
}

#[test]
fn version_count_and_length_must_agree() {
    let mut bad = image(&GOOD);
    bad[DESCRIPTOR + 8] = 2;
    assert_eq!(error(&bad), TdvfError::Version { found: 2 });
    for count in [0, 65, u32::MAX] {
        let mut bad = image(&GOOD);
        put(&mut bad, DESCRIPTOR + 12, &count.to_le_bytes());
        assert_eq!(error(&bad), TdvfError::SectionCount { found: count });
    }
    let mut bad = image(&GOOD);
    bad[DESCRIPTOR + 4] += 1;
    let (found, expected) = (16 + 4 * 32 + 1, 16 + 4 * 32);
    assert_eq!(error(&bad), TdvfError::Length { found, expected });
}

#[test]
fn the_image_must_not_end_within_the_sections() {
    let good = image(&GOOD);
    let mut bad = good.clone();
    let offset = bad.len() - 16;
    put(&mut bad, METADATA_ENTRY, &16_u32.to_le_bytes());
    put(&mut bad, offset, &good[DESCRIPTOR..DESCRIPTOR + 16]);
    assert_eq!(error(&bad), TdvfError::Truncated { sections: 4 });
}

#[test]
fn memory_is_whole_pages_that_do_not_wrap() {
    let index = 2;
    for (address, size, found) in [(0x80_9001, 0x2000, 0x80_9001), (0x80_9000, 0x800, 0x800)] {
        let hob = Section {
            address,
            size,
            ..TD_HOB
        };
        assert_eq!(
            error_of(&[BFV, CFV, hob]),
            TdvfError::Alignment { index, found }
        );
    }
    let hob = Section {
        address: u64::MAX - 0xfff,
        ..TD_HOB
    };
    assert_eq!(error_of(&[BFV, CFV, hob]), TdvfError::Wraps { index });
}

#[test]
fn data_is_within_the_image_and_fits_in_its_memory() {
    for (offset, raw_size) in [(0x1001, 0x1000), (u32::MAX, 1), (0, u32::MAX)] {
        let bfv = Section {
            offset,
            raw_size,
            ..BFV
        };
        let (index, size) = (0, raw_size);
        assert_eq!(
            error_of(&[bfv, TD_HOB]),
            TdvfError::Data {
                index,
                offset,
                size
            }
        );
    }
    let cfv = Section {
        raw_size: 0x1001,
        ..CFV
    };
    assert_eq!(
        error_of(&[BFV, cfv, TD_HOB]),
        TdvfError::MemorySize {
            index: 1,
            memory: 0x1000,
            data: 0x1001
        }
    );
}

#[test]
fn data_is_there_where_it_must_be_and_nowhere_else() {
    let (index, size) = (1, 0);
    let section_type = SectionType::Cfv;
    let cfv = Section { raw_size: 0, ..CFV };
    assert_eq!(
        error_of(&[BFV, cfv, TD_HOB]),
        TdvfError::DataOfType {
            index,
            section_type,
            size
        }
    );
    let (size, section_type) = (16, SectionType::TdHob);
    let hob = Section {
        raw_size: 16,
        ..TD_HOB
    };
    assert_eq!(
        error_of(&[BFV, hob]),
        TdvfError::DataOfType {
            index,
            section_type,
            size
        }
    );
}

#[test]
fn unknown_types_and_attributes_are_refused() {
    let odd = Section {
        section_type: 9,
        ..TEMP_MEM
    };
    assert_eq!(
        error_of(&[BFV, TD_HOB, odd]),
        TdvfError::SectionType { index: 2, found: 9 }
    );
    // PAGE_AUG goes with PermMem only, and never with MR_EXTEND.
    for (section_type, attributes) in [(3, 4), (3, 2), (4, 0), (4, 3)] {
        let odd = Section {
            section_type,
            attributes,
            ..TEMP_MEM
        };
        assert_eq!(
            error_of(&[BFV, TD_HOB, odd]),
            TdvfError::Attributes {
                index: 2,
                found: attributes
            }
        );
    }
}

#[test]
fn sections_do_not_share_memory() {
    let other = Section {
        address: 0x80_a000,
        ..TEMP_MEM
    };
    assert_eq!(
        error_of(&[BFV, TD_HOB, other]),
        TdvfError::Overlap { index: 1, other: 2 }
    );
}

#[test]
fn there_is_one_td_hob_and_a_reset_vector() {
    let other = Section {
        address: 0x90_0000,
        ..TD_HOB
    };
    assert_eq!(error_of(&[BFV, TD_HOB, other]), TdvfError::SeveralTdHobs);
    let low = Section {
        address: 0x10_0000,
        ..BFV
    };
    assert_eq!(error_of(&[low, TD_HOB]), TdvfError::NoResetVector);
}

#[test]
fn qemu_takes_less_than_td_shim_does() {
    let perm_mem = Section {
        section_type: 4,
        attributes: 2,
        ..TEMP_MEM
    };
    let bytes = image(&[BFV, TD_HOB, perm_mem]);
    assert_eq!(
        Tdvf::parse(&bytes).unwrap().check_for_qemu(),
        Err(TdvfError::SectionType { index: 2, found: 4 })
    );
    let bytes = image(&[BFV, TEMP_MEM]);
    assert_eq!(
        Tdvf::parse(&bytes).unwrap().check_for_qemu(),
        Err(TdvfError::NoTdHob)
    );
    let bytes = image(&[BFV]);
    assert_eq!(
        Tdvf::parse(&bytes).unwrap().check_for_qemu(),
        Err(TdvfError::SectionCount { found: 1 })
    );
}

#[test]
fn td_info_has_no_memory_of_its_own() {
    let info = Section {
        raw_size: 0x20,
        offset: 0x1100,
        address: 0,
        size: 0,
        section_type: 7,
        attributes: 0,
    };
    let good = image(&[BFV, TD_HOB, info]);
    assert_eq!(Tdvf::parse(&good).unwrap().sections().count(), 3);
    let bad = Section {
        address: 0x1000,
        size: 0x1000,
        ..info
    };
    assert!(matches!(
        error_of(&[BFV, TD_HOB, bad]),
        TdvfError::DataOfType { index: 2, .. }
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = Tdvf::parse(&bytes);
    }

    #[test]
    fn no_change_makes_it_panic(
        changes in proptest::collection::vec((DESCRIPTOR..0x2000_usize, any::<u8>()), 1..8),
        length in 0..=0x2000_usize,
    ) {
        let mut image = image(&GOOD);
        for (offset, value) in changes {
            image[offset] = value;
        }
        for bytes in [&image[..], &image[..length]] {
            if let Ok(tdvf) = Tdvf::parse(bytes) {
                for section in tdvf.sections() {
                    prop_assert!(section.data.len() as u64 <= section.size || section.size == 0);
                }
                let _ = tdvf.check_for_qemu();
            }
        }
    }
}
