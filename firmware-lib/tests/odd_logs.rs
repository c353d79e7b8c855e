// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Logs as other firmwares write them, broken ones, and ones that are meant to do harm.

use proptest::collection::vec;
use proptest::prelude::*;
use tdx_call::RtmrIndex;
use tdx_firmware::ccel::{Ccel, CcelError};
use tdx_firmware::event_data::EventData;
use tdx_firmware::event_log::{
    algorithm, Event, EventErrorKind, EventLog, HeaderError, NotExtended, Replay, Step,
};
use tdx_firmware::{EventType, MrIndex, Rtmrs, Sha2};

/// A header in the older form.
fn header(mr: u32, errata: u8, rest: &[u8]) -> Vec<u8> {
    let mut data = b"Spec ID Event03\0\0\0\0\0\0\x02".to_vec();
    data.extend([errata, 2, 1, 0, 0, 0, 12, 0, 48, 0]);
    data.extend(rest);
    let mut header = [mr.to_le_bytes(), 3_u32.to_le_bytes()].concat();
    header.extend([0; 20]);
    header.extend((data.len() as u32).to_le_bytes());
    header.extend(data);
    header
}

/// An event with these digests.
fn event_with(mr: u32, event_type: EventType, digests: &[(u16, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut event = [mr, event_type.0, digests.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    for (algorithm, digest) in digests {
        event.extend(algorithm.to_le_bytes());
        event.extend(*digest);
    }
    event.extend((data.len() as u32).to_le_bytes());
    event.extend(data);
    event
}

/// An event with a SHA-384 digest of sevens.
fn event(mr: u32, event_type: EventType, data: &[u8]) -> Vec<u8> {
    event_with(mr, event_type, &[(algorithm::SHA384, &[7; 48])], data)
}

fn log_of(events: &[Vec<u8>]) -> Vec<u8> {
    [header(1, 0, &[0]), events.concat()].concat()
}

fn types(log: &[u8]) -> Vec<EventType> {
    let events = EventLog::parse(log).unwrap().events();
    events.map(|event| event.unwrap().event_type).collect()
}

/// What is wrong with the last event, and how many there are before it.
fn error(log: &[u8]) -> (usize, EventErrorKind) {
    let events: Vec<_> = EventLog::parse(log).unwrap().events().collect();
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok));
    (before.len(), last.unwrap_err().kind)
}

#[test]
fn header_of_td_shim_is_accepted() {
    let mut log = header(0, 105, &[0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(log[28], 40);
    log.extend(event(1, EventType::SEPARATOR, &[0; 4]));
    let parsed = EventLog::parse(&log).unwrap();
    assert_eq!(parsed.spec_id().mr, MrIndex::MRTD);
    assert_eq!(parsed.spec_id().version, (2, 0, 105));
    assert_eq!(types(&log), [EventType::SEPARATOR]);
}

#[test]
fn several_no_action_events_are_read_and_not_replayed() {
    let locality = b"StartupLocality\0\x03";
    let log = log_of(&[
        event(1, EventType::NO_ACTION, locality),
        header(1, 0, &[0]),
        event(3, EventType::NO_ACTION, b"what a vendor says"),
        event(1, EventType::SEPARATOR, &[0; 4]),
    ]);
    let events: Vec<Event<'_>> = EventLog::parse(&log)
        .unwrap()
        .events()
        .map(Result::unwrap)
        .collect();
    assert_eq!(events[0].decode(), EventData::StartupLocality(3));
    assert!(matches!(events[1].decode(), EventData::SpecId(_)));
    assert_eq!(events[2].decode().to_string(), "\"what a vendor says\"");
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(
        RtmrIndex::ALL.map(|rtmr| replay.extended(rtmr)),
        [1, 0, 0, 0]
    );
}

#[test]
fn event_for_register_minus_one_is_read_and_not_replayed() {
    let log = log_of(&[
        event(u32::MAX, EventType::NO_ACTION, b"x"),
        event(u32::MAX, EventType::ACTION, b"y"),
        event(2, EventType::ACTION, b"z"),
    ]);
    let mut replay = Replay::new(Sha2);
    let steps: Vec<Step> = EventLog::parse(&log)
        .unwrap()
        .events()
        .map(|event| replay.apply(&event.unwrap()))
        .collect();
    assert_eq!(steps[0], Step::NotExtended(NotExtended::NoAction));
    assert_eq!(steps[1], Step::NotExtended(NotExtended::NoRegister));
    assert!(matches!(
        steps[2],
        Step::Extended {
            rtmr: RtmrIndex::Rtmr1,
            ..
        }
    ));
}

#[test]
fn mrtd_is_not_extended() {
    let log = log_of(&[event(0, EventType::ACTION, b"x")]);
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(*replay.rtmrs(), Rtmrs::ZERO);
}

#[test]
fn log_ends_at_the_fill_at_zeros_or_at_the_end() {
    let log = log_of(&[
        event(1, EventType::ACTION, b"x"),
        event(1, EventType::ACTION, &[0; 20]),
    ]);
    for fill in [
        vec![],
        vec![0xff; 3],
        vec![0xff; 200],
        vec![0; 3],
        vec![0; 200],
    ] {
        assert_eq!(types(&[log.clone(), fill].concat()), [EventType::ACTION; 2]);
    }
}

#[test]
fn empty_log_has_no_events() {
    assert_eq!(types(&log_of(&[])), []);
    assert_eq!(types(&[log_of(&[]), vec![0xff; 100]].concat()), []);
}

#[test]
fn events_without_data_do_not_end_the_log() {
    let log = log_of(&[
        event(1, EventType::ACTION, b""),
        event(1, EventType::IPL, b""),
        event(1, EventType::SEPARATOR, &[0; 4]),
    ]);
    assert_eq!(
        types(&log),
        [EventType::ACTION, EventType::IPL, EventType::SEPARATOR]
    );
}

#[test]
fn event_without_sha384_is_read_and_not_replayed() {
    let log = log_of(&[
        event_with(1, EventType::ACTION, &[(algorithm::SHA256, &[1; 32])], b"x"),
        event_with(1, EventType::ACTION, &[], b"y"),
    ]);
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(*replay.rtmrs(), Rtmrs::ZERO);
    assert_eq!(types(&log).len(), 2);
}

#[test]
fn sha384_is_found_among_other_digests() {
    let digests: [(u16, &[u8]); 4] = [
        (algorithm::SHA1, &[1; 20]),
        (algorithm::SHA256, &[2; 32]),
        (algorithm::SHA384, &[3; 48]),
        (algorithm::SHA512, &[4; 64]),
    ];
    let log = log_of(&[event_with(1, EventType::ACTION, &digests, b"x")]);
    let event = EventLog::parse(&log)
        .unwrap()
        .events()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(event.digest().unwrap().0, [3; 48]);
    assert_eq!(event.digests.iter().collect::<Vec<_>>(), digests);
    assert_eq!(event.data, b"x");
}

#[test]
fn digest_of_an_algorithm_that_only_the_header_knows_is_read() {
    let mut log = header(1, 0, &[0]);
    log[60..64].copy_from_slice(&[0x34, 0x12, 5, 0]);
    log.extend(event_with(1, EventType::ACTION, &[(0x1234, &[1; 5])], b"x"));
    assert_eq!(types(&log), [EventType::ACTION]);
}

#[test]
fn digest_of_an_unknown_algorithm_is_an_error_behind_the_events_before_it() {
    let log = log_of(&[
        event(1, EventType::ACTION, b"x"),
        event_with(1, EventType::ACTION, &[(0x1234, &[1; 5])], b"x"),
    ]);
    assert_eq!(
        error(&log),
        (1, EventErrorKind::Algorithm { algorithm: 0x1234 })
    );
}

#[test]
fn lengths_beyond_the_log_are_errors() {
    let mut log = log_of(&[event(1, EventType::ACTION, b"xyz")]);
    let size = log.len() - 7;
    log[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        error(&log),
        (
            0,
            EventErrorKind::Size {
                size: u32::MAX,
                left: 3
            }
        )
    );

    let mut log = log_of(&[event(1, EventType::ACTION, b"xyz")]);
    let count = header(1, 0, &[0]).len() + 8;
    log[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        error(&log).1,
        EventErrorKind::Algorithm { .. } | EventErrorKind::Cut { .. }
    ));
}

#[test]
fn what_is_no_log_is_refused_with_the_reason() {
    assert_eq!(
        EventLog::parse(&[]).unwrap_err(),
        HeaderError::Short { len: 0 }
    );
    assert_eq!(
        EventLog::parse(&[0xff; 64]).unwrap_err(),
        HeaderError::Size {
            size: u32::MAX,
            left: 32
        }
    );
    let refused = EventLog::parse(&[0; 64]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no CC event log: it begins with EV_PREBOOT_CERT for MRTD instead of \"Spec ID Event03\""
    );
    let mut log = header(1, 0, &[0]);
    log[56..60].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        EventLog::parse(&log).unwrap_err(),
        HeaderError::Data { len: 33 }
    );
}

#[test]
fn text_cannot_command_a_terminal() {
    let log = log_of(&[
        event(3, EventType::IPL, b"grub_cmd: echo \xc2\x9b31m\n"),
        event(3, EventType::IPL, b"\x1b[31m"),
    ]);
    for event in EventLog::parse(&log).unwrap().events() {
        let line = event.unwrap().to_string();
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
    }
}

#[test]
fn damaged_ccel_tables_are_refused_with_the_reason() {
    let table = Ccel::tdx(0x1000, 0x2000).to_bytes(b"OEM   ", b"TABLE   ");
    let changed = |at: usize| {
        let mut table = table;
        table[at] ^= 1;
        Ccel::parse(&table)
    };
    assert_eq!(changed(0), Err(CcelError::Signature { found: *b"BCEL" }));
    assert_eq!(changed(4), Err(CcelError::LengthField { len: 57 }));
    assert!((5..8).all(|at| matches!(changed(at), Err(CcelError::LengthField { .. }))));
    assert!((8..56).all(|at| matches!(changed(at), Err(CcelError::Checksum { .. }))));
    assert_eq!(
        Ccel::parse(&table[..55]),
        Err(CcelError::Length { len: 55 })
    );
}

/// Reads everything that can be read.
fn read(bytes: &[u8]) {
    let _ = Ccel::parse(bytes);
    let Ok(log) = EventLog::parse(bytes) else {
        return;
    };
    let mut replay = Replay::new(Sha2);
    for event in log.events().map_while(Result::ok) {
        replay.apply(&event);
        event.check(&Sha2);
        let _ = format!("{event} {event:?}");
    }
}

/// The types whose data is taken apart.
fn any_type() -> impl Strategy<Value = u32> {
    prop_oneof![
        0_u32..0x13,
        0x8000_0001_u32..0x8000_0011,
        Just(0x8000_00e0),
        any::<u32>()
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn any_events_are_read_without_panic(events in vec((any::<u32>(), any_type(), vec(any::<u8>(), 0..200)), 0..8)) {
        let events: Vec<_> = events.iter().map(|(mr, event_type, data)| event(*mr, EventType(*event_type), data)).collect();
        read(&log_of(&events));
    }

    #[test]
    fn any_damage_is_read_without_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut log = log_of(&[
            event(1, EventType::EFI_VARIABLE_BOOT, &variable("Boot0001", &[1, 0, 0, 0, 4, 0, b'x', 0, 0, 0, 0x7f, 0xff, 4, 0])),
            event(1, EventType::EFI_VARIABLE_DRIVER_CONFIG, &variable("db", &signature_list())),
            event(1, EventType::EFI_HANDOFF_TABLES2, &[&b"\x04abc\0\x01\0\0\0\0\0\0\0"[..], &[9; 24]].concat()),
            event(3, EventType::EVENT_TAG, b"\xec\x22\x3b\x8f\x02\0\0\0x\0"),
        ]);
        let at = at.index(log.len());
        log[at] = to;
        read(&log);
        read(&log[..cut.index(log.len())]);
    }
}

/// A variable's bytes.
fn variable(name: &str, contents: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lengths = [name.len() as u64 / 2, contents.len() as u64]
        .map(u64::to_le_bytes)
        .concat();
    [&[0x61; 16], &lengths[..], &name, contents].concat()
}

/// A list with one signature of 17 bytes.
fn signature_list() -> Vec<u8> {
    let lengths = [45_u32, 0, 17].map(u32::to_le_bytes).concat();
    [&[0x26; 16], &lengths[..], &[3; 17]].concat()
}
