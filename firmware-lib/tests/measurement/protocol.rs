// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `EFI_CC_MEASUREMENT_PROTOCOL`.

use proptest::collection::vec;
use proptest::prelude::*;
use tdx_call::RtmrIndex;
use tdx_firmware::protocol::{
    get_capability, get_event_log, hash_log_extend_event, map_pcr_to_mr_index, ProtocolError,
    EXTEND_ONLY, FORMAT_TCG_2, PE_COFF_IMAGE,
};
use tdx_firmware::{EventType, HashEngine, MrIndex, Rtmrs, Sha2};
use tdx_uapi::Digest;
use zerocopy::IntoBytes as _;

use crate::support::{lines, measuring, registers, replayed, td};

/// An `EFI_CC_EVENT`.
fn event(mr: u32, event_type: u32, data: &[u8]) -> Vec<u8> {
    let mut event = Vec::from((18 + data.len() as u32).to_le_bytes());
    event.extend(14_u32.to_le_bytes());
    event.extend(1_u16.to_le_bytes());
    event.extend(mr.to_le_bytes());
    event.extend(event_type.to_le_bytes());
    event.extend(data);
    event
}

fn no_pe(_: &Sha2, _: &[u8]) -> Option<Digest> {
    None
}

#[test]
fn capability_has_the_bytes_that_linux_and_systemd_expect() {
    let capability = get_capability();
    assert_eq!(
        capability.as_bytes(),
        [20, 1, 0, 1, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
    );
}

#[test]
fn event_is_hashed_logged_and_extended() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut m = measuring(&tdx, &mut area);
    let event = event(3, EventType::IPL.0, b"grub_cmd: boot\0");
    assert_eq!(
        hash_log_extend_event(&mut m, 0, b"boot", &event, no_pe),
        Ok(())
    );
    assert_eq!(
        lines(m.log().bytes()),
        ["RTMR2 EV_IPL: GRUB command \"boot\""]
    );
    assert_eq!(replayed(m.log().bytes()), registers(&tdx));

    let location = get_event_log(&m, FORMAT_TCG_2).unwrap();
    assert_eq!(location.start, m.log().area().as_ptr().addr());
    assert_eq!(location.last_entry, location.start + 65);
    assert!(!location.truncated);
    assert!(get_event_log(&m, 1).is_err());
}

#[test]
fn only_registers_of_the_boot_are_extended() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut m = measuring(&tdx, &mut area);
    // MRTD, RTMR3, none.
    for mr in [0, 4, 5] {
        let event = event(mr, EventType::IPL.0, b"");
        assert_eq!(
            hash_log_extend_event(&mut m, 0, b"", &event, no_pe),
            Err(ProtocolError::InvalidParameter("the event"))
        );
    }
    assert!(lines(m.log().bytes()).is_empty());
    assert_eq!(registers(&tdx), Rtmrs::ZERO);
}

#[test]
fn extend_only_leaves_no_event() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut m = measuring(&tdx, &mut area);
    let event = event(1, EventType::ACTION.0, b"");
    assert_eq!(
        hash_log_extend_event(&mut m, EXTEND_ONLY, b"data", &event, no_pe),
        Ok(())
    );
    assert!(lines(m.log().bytes()).is_empty());
    let mut expected = Rtmrs::ZERO;
    expected.extend(&Sha2, RtmrIndex::Rtmr0, &Sha2.digest(&[b"data"]));
    assert_eq!(registers(&tdx), expected);
}

#[test]
fn image_is_measured_by_its_authenticode_hash() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut m = measuring(&tdx, &mut area);
    let event = event(2, EventType::EFI_BOOT_SERVICES_APPLICATION.0, b"");
    let refused = hash_log_extend_event(&mut m, PE_COFF_IMAGE, b"pe", &event, no_pe);
    assert_eq!(refused, Err(ProtocolError::Unsupported));
    assert_eq!(registers(&tdx), Rtmrs::ZERO);
    let done = hash_log_extend_event(&mut m, PE_COFF_IMAGE, b"pe", &event, |_, _| {
        Some(Digest([7; 48]))
    });
    assert_eq!(done, Ok(()));
    let mut expected = Rtmrs::ZERO;
    expected.extend(&Sha2, RtmrIndex::Rtmr1, &Digest([7; 48]));
    assert_eq!(registers(&tdx), expected);
}

#[test]
fn full_log_is_told_after_the_extension() {
    let (tdx, mut area) = (td(), [0; 70]);
    let mut m = measuring(&tdx, &mut area);
    let event = event(1, EventType::ACTION.0, b"");
    let full = hash_log_extend_event(&mut m, 0, b"data", &event, no_pe);
    assert_eq!(full, Err(ProtocolError::VolumeFull));
    assert_eq!(full.unwrap_err().efi_status(), 0x8000_0000_0000_000b);
    assert_ne!(registers(&tdx), Rtmrs::ZERO);
    assert!(get_event_log(&m, FORMAT_TCG_2).unwrap().truncated);
}

#[test]
fn arguments_that_are_not_valid_change_nothing() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut m = measuring(&tdx, &mut area);
    let good = event(1, EventType::ACTION.0, b"data");
    let changed = |at: usize, to: u8| {
        let mut event = good.clone();
        event[at] = to;
        event
    };
    let events = [
        changed(0, 17), // Shorter than its header.
        changed(0, 23), // Longer than the memory.
        changed(4, 13), // The header has another length,
        changed(8, 2),  // or another version.
        changed(10, 0), // MRTD cannot be extended,
        changed(10, 5), // and this register does not exist.
        good[..10].to_vec(),
        vec![],
    ];
    for event in &events {
        let refused = hash_log_extend_event(&mut m, 0, b"data", event, no_pe);
        assert!(
            matches!(refused, Err(ProtocolError::InvalidParameter(_))),
            "{event:?}"
        );
    }
    let refused = hash_log_extend_event(&mut m, 2, b"data", &good, no_pe);
    assert!(matches!(refused, Err(ProtocolError::InvalidParameter(_))));
    assert_eq!(registers(&tdx), Rtmrs::ZERO);
    assert!(lines(m.log().bytes()).is_empty());
}

#[test]
fn pcrs_without_a_register_are_refused() {
    assert_eq!(map_pcr_to_mr_index(8), Ok(MrIndex::RTMR2));
    assert!(map_pcr_to_mr_index(16).is_err());
}

proptest! {
    #[test]
    fn any_call_is_logged_and_extended_or_refused(
        flags in prop_oneof![Just(0), Just(EXTEND_ONLY), Just(PE_COFF_IMAGE), any::<u64>()],
        mr in 0..6_u32,
        event_type in prop_oneof![Just(EventType::NO_ACTION.0), Just(EventType::IPL.0), any::<u32>()],
        data in vec(any::<u8>(), 0..40),
        changes in vec((0..18_usize, any::<u8>()), 0..2),
        cut in 0..60_usize,
    ) {
        let mut event = event(mr, event_type, &data);
        changes.into_iter().for_each(|(at, value)| event[at] = value);
        event.truncate(cut);
        let (tdx, mut area) = (td(), [0; 512]);
        let mut m = measuring(&tdx, &mut area);
        match hash_log_extend_event(&mut m, flags, &data, &event, no_pe) {
            Ok(()) if flags & EXTEND_ONLY != 0 => prop_assert_ne!(registers(&tdx), Rtmrs::ZERO),
            Ok(()) => prop_assert_eq!(replayed(m.log().bytes()), registers(&tdx)),
            Err(ProtocolError::VolumeFull) => prop_assert!(m.log().is_truncated()),
            Err(_) => prop_assert_eq!((registers(&tdx), m.log().bytes().len()), (Rtmrs::ZERO, 65)),
        }
    }
}
