// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which TD HOBs are believed, and how one is written.

mod common;

use common::{image, put, BFV, CFV, TD_HOB, TEMP_MEM};
use core::slice;
use proptest::prelude::*;
use tdx_firmware::hob::{
    qemu, BuildError, Hob, HobError, HobType, ResourceType, TdHob, TdHobBuilder,
};
use tdx_firmware::tdvf::Tdvf;

/// A hand-off HOB, two resources and the END HOB.
fn list() -> Vec<u8> {
    let mut area = vec![0; 0x1000];
    let mut builder = TdHobBuilder::new(&mut area, 0x80_9000).unwrap();
    builder
        .memory(ResourceType::SYSTEM_MEMORY, 0x80_9000..0x80_b000)
        .unwrap();
    builder
        .memory(ResourceType::MEMORY_UNACCEPTED, 1 << 32..6 << 30)
        .unwrap();
    let length = builder.finish().unwrap();
    area.truncate(length);
    area
}

const FIRST_RESOURCE: usize = 56;
const END: usize = 56 + 2 * 48;

/// `list()` with another HOB before its END.
fn list_with(hob: &[u8]) -> Vec<u8> {
    let mut list = list();
    list.splice(END..END, hob.iter().copied());
    list
}

/// A HOB of `length` bytes that are 0 behind its header.
fn hob(hob_type: u16, length: u16) -> Vec<u8> {
    let mut hob = vec![0; length.max(8).into()];
    put(&mut hob, 0, &hob_type.to_le_bytes());
    put(&mut hob, 2, &length.to_le_bytes());
    hob
}

fn error(list: &[u8]) -> HobError {
    TdHob::parse(list).expect_err("the list should be refused")
}

#[test]
fn edk2_measures_what_is_before_the_end() {
    let mut list = list();
    list.extend([0xaa; 100]);
    let parsed = TdHob::parse(&list).unwrap();
    assert_eq!(parsed.measured(), &list[..END]);
    assert_eq!(parsed.with_end(), &list[..END + 8]);
}

#[test]
fn the_hand_off_hob_says_where_the_list_ends() {
    let list = list();
    let Some(Hob::Handoff(handoff)) = TdHob::parse(&list).unwrap().hobs().next() else {
        panic!("the hand-off HOB is not the first");
    };
    assert_eq!(handoff.version.get(), 9);
    assert_eq!(handoff.end_of_hob_list.get(), 0x80_9000 + END as u64 + 8);
}

#[test]
fn resources_come_as_they_were_written() {
    let list = list();
    let parsed = TdHob::parse(&list).unwrap();
    let resources: Vec<_> = parsed
        .resources()
        .map(|resource| (resource.resource_type, resource.range()))
        .collect();
    assert_eq!(
        resources,
        [
            (ResourceType::SYSTEM_MEMORY, Some(0x80_9000..0x80_b000)),
            (ResourceType::MEMORY_UNACCEPTED, Some(1 << 32..6 << 30)),
        ]
    );
    assert!(parsed
        .resources()
        .all(|resource| resource.attributes.get() == 7));
}

#[test]
fn a_list_that_is_cut_has_no_end() {
    let list = list();
    for length in 0..list.len() {
        let cut = error(&list[..length]);
        assert!(
            matches!(cut, HobError::NoEnd { .. } | HobError::Truncated { .. }),
            "{length}: {cut:?}"
        );
    }
}

#[test]
fn reserved_fields_are_zero() {
    for offset in [0, FIRST_RESOURCE, END] {
        let mut list = list();
        list[offset + 4] = 1;
        assert_eq!(error(&list), HobError::Reserved { offset });
    }
    let mut cpu = hob(6, 16);
    cpu[10] = 1;
    assert_eq!(error(&list_with(&cpu)), HobError::Reserved { offset: END });
}

#[test]
fn stops_on_a_zero_length_hob() {
    let mut list = list();
    put(&mut list, FIRST_RESOURCE + 2, &[0, 0]);
    assert_eq!(
        error(&list),
        HobError::Length {
            offset: FIRST_RESOURCE,
            hob_type: HobType::RESOURCE_DESCRIPTOR,
            found: 0
        }
    );
}

#[test]
fn each_type_has_its_length() {
    for (hob_type, length) in [(3, 48), (5, 24), (6, 16), (9, 56), (12, 64)] {
        assert!(TdHob::parse(&list_with(&hob(hob_type, length))).is_ok());
        for other in [length - 8, length + 8, length + 1] {
            assert!(matches!(
                error(&list_with(&hob(hob_type, other))),
                HobError::Length { offset: END, .. }
            ));
        }
    }
}

#[test]
fn guid_hobs_are_of_any_length_from_a_guid_on() {
    let mut guid = hob(4, 32);
    guid[8..24].fill(0x11);
    guid[24..].fill(0x22);
    let list = list_with(&guid);
    let found = TdHob::parse(&list)
        .unwrap()
        .hobs()
        .find_map(|hob| match hob {
            Hob::GuidExtension { guid, data } => Some((guid.0, data.to_vec())),
            _ => None,
        });
    assert_eq!(found, Some(([0x11; 16], vec![0x22; 8])));
    for length in [16, 25] {
        assert!(matches!(
            error(&list_with(&hob(4, length))),
            HobError::Length { .. }
        ));
    }
}

#[test]
fn other_types_are_refused() {
    for hob_type in [0, 2, 7, 8, 10, 11, 13, 0xfffe] {
        assert!(matches!(
            error(&list_with(&hob(hob_type, 48))),
            HobError::Type { offset: END, found } if found.0.get() == hob_type
        ));
    }
}

#[test]
fn the_hand_off_hob_is_first_and_alone() {
    assert_eq!(error(&list()[56..]), HobError::Handoff { offset: 0 });
    assert_eq!(error(&hob(0xffff, 8)), HobError::Handoff { offset: 0 });
    assert_eq!(
        error(&list_with(&hob(1, 56))),
        HobError::Handoff { offset: END }
    );
}

#[test]
fn the_boot_mode_and_free_memory_are_checked() {
    for mode in 0..0x100_u32 {
        let mut list = list();
        put(&mut list, 12, &mode.to_le_bytes());
        let good = matches!(mode, 0..=7 | 0x10..=0x12 | 0x20);
        assert_eq!(TdHob::parse(&list).is_ok(), good, "{mode:#x}");
    }
    let mut list = list();
    put(&mut list, 32, &0x1001_u64.to_le_bytes());
    assert_eq!(
        error(&list),
        HobError::FreeMemoryTop {
            offset: 0,
            found: 0x1001
        }
    );
}

#[test]
fn resources_are_of_known_kinds_and_do_not_wrap() {
    let offset = FIRST_RESOURCE;
    let mut bad = list();
    put(&mut bad, offset + 24, &8_u32.to_le_bytes());
    assert!(matches!(error(&bad), HobError::ResourceType { .. }));
    for bit in 0..32 {
        let mut bad = list();
        put(&mut bad, offset + 28, &(1_u32 << bit).to_le_bytes());
        assert_eq!(TdHob::parse(&bad).is_ok(), bit < 28, "bit {bit}");
    }
    let mut bad = list();
    put(&mut bad, offset + 40, &u64::MAX.to_le_bytes());
    assert_eq!(
        error(&bad),
        HobError::ResourceRange {
            offset,
            start: 0x80_9000,
            length: u64::MAX
        }
    );
}

#[test]
fn a_buffer_that_is_too_small_is_an_error() {
    let length = list().len();
    for size in 0..length {
        let mut area = vec![0; size];
        let written = TdHobBuilder::new(&mut area, 0).and_then(|mut builder| {
            builder.memory(ResourceType::SYSTEM_MEMORY, 0..1)?;
            builder.memory(ResourceType::SYSTEM_MEMORY, 1..2)?;
            builder.finish()
        });
        assert!(matches!(
            written,
            Err(BuildError::Full { available, .. }) if available == size
        ));
    }
}

#[test]
fn qemu_needs_the_firmwares_memory_to_be_ram() {
    let image = image(&[BFV, CFV, TD_HOB, TEMP_MEM]);
    let tdvf = Tdvf::parse(&image).unwrap();
    let mut area = [0; 0x1000];
    for end in [0x80_a000, 0x81_1000] {
        assert!(matches!(
            qemu::write_td_hob(&mut area, &tdvf, slice::from_ref(&(0..end))),
            Err(BuildError::NotInRam { .. })
        ));
    }
    assert!(qemu::write_td_hob(&mut area, &tdvf, slice::from_ref(&(0..0x82_0000))).is_ok());
}

#[test]
fn the_documented_size_is_enough() {
    let sections = [TD_HOB, TEMP_MEM];
    let image = image(&[BFV, CFV, TD_HOB, TEMP_MEM]);
    let tdvf = Tdvf::parse(&image).unwrap();
    let ram = qemu::q35_ram(4 << 30);
    let size = 64 + 48 * ram.len() + 96 * sections.len();
    let mut area = vec![0; size];
    // There is memory before and behind each section, so nothing less would do.
    assert_eq!(qemu::write_td_hob(&mut area, &tdvf, &ram), Ok(size));
    assert!(matches!(
        qemu::write_td_hob(&mut area[..size - 1], &tdvf, &ram),
        Err(BuildError::Full { .. })
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = TdHob::parse(&bytes);
    }

    #[test]
    fn no_change_makes_it_panic(
        changes in proptest::collection::vec((0..END, any::<u8>()), 1..6),
    ) {
        let mut list = list();
        for (offset, value) in changes {
            list[offset] = value;
        }
        if let Ok(parsed) = TdHob::parse(&list) {
            prop_assert!(parsed.hobs().count() >= 1);
            prop_assert!(parsed.resources().all(|resource| resource.range().is_some()));
        }
    }

    #[test]
    fn written_lists_are_good(
        ranges in proptest::collection::vec((any::<u32>(), any::<u32>()), 0..20),
    ) {
        let mut area = [0; 2048];
        let mut builder = TdHobBuilder::new(&mut area, 0x80_9000).unwrap();
        for (start, length) in &ranges {
            let start = u64::from(*start);
            let range = start..start + u64::from(*length);
            builder.memory(ResourceType::MEMORY_UNACCEPTED, range).unwrap();
        }
        let length = builder.finish().unwrap();
        let parsed = TdHob::parse(&area).unwrap();
        prop_assert_eq!(parsed.with_end().len(), length);
        prop_assert_eq!(parsed.resources().count(), ranges.len());
    }
}
