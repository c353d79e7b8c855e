// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input that is a log, or says where one is.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha384};
use tdx_firmware::ccel::Ccel;
use tdx_firmware::event_log::{Event, EventLog, LogWriter, Replay};
use tdx_firmware::Sha2;

/// Reads a log, displays and replays it, as a few lines of arithmetic do it too; and has a writer go on with it, who finds
/// the same end.
pub(crate) fn event_log(bytes: &[u8]) {
    let Ok(log) = EventLog::parse(bytes) else {
        assert!(LogWriter::resume(&mut bytes.to_vec(), false).is_err());
        return;
    };
    let mut text = format!("{}", log.spec_id());
    let lengths: Vec<_> = log.spec_id().algorithms().collect();
    let mut replay = Replay::new(Sha2);
    let mut registers = [[0; 48]; 4];
    let mut events = log.events();
    let mut offset = events.offset();
    let mut broken = false;
    while let Some(event) = events.next() {
        match event {
            Ok(event) => {
                assert_eq!(event.offset, offset);
                assert!(events.offset() > offset && events.offset() <= bytes.len());
                write!(text, "{event} {event:?} {}", event.check(&Sha2)).expect("there is a heap");
                replay.apply(&event);
                extend(
                    &mut registers,
                    &event,
                    &bytes[offset..events.offset()],
                    &lengths,
                );
            }
            Err(error) => {
                assert_eq!(error.offset, offset);
                write!(text, "{error}").expect("there is a heap");
                broken = true;
            }
        }
        offset = events.offset();
    }
    assert!(events.next().is_none());
    assert_eq!(replay.rtmrs().0.map(|digest| digest.0), registers);
    let mut area = bytes.to_vec();
    match LogWriter::resume(&mut area, false) {
        Ok(writer) => assert!(!broken && writer.bytes() == &bytes[..offset]),
        Err(_) => assert!(broken),
    }
}

/// Takes the bytes of one event apart, compares, and does what they say.
fn extend(registers: &mut [[u8; 48]; 4], event: &Event<'_>, bytes: &[u8], lengths: &[(u16, u16)]) {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let (mr, event_type) = (number(0), number(4));
    assert_eq!((event.mr.0, event.event_type.0), (mr, event_type));
    // A header in the middle of the log has a SHA-1 of zeros and no list of digests.
    let sha1_is_zero = bytes.get(8..28) == Some(&[0; 20]);
    if event_type == 3 && sha1_is_zero && bytes[28..].get(4..20) == Some(b"Spec ID Event03\0") {
        assert_eq!(event.data, &bytes[32..]);
        return assert_eq!(event.digests.iter().count(), 0);
    }
    let mut at = 12;
    let mut sha384 = None;
    let mut digests = event.digests.iter();
    for _ in 0..number(8) {
        let algorithm = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let length = match algorithm {
            4 => 20,
            0xb | 0x12 => 32,
            0xc => 48,
            0xd => 64,
            other => {
                let known = lengths.iter().find(|(algorithm, _)| *algorithm == other);
                usize::from(known.expect("of a known length").1)
            }
        };
        let digest = &bytes[at + 2..at + 2 + length];
        assert_eq!(digests.next(), Some((algorithm, digest)));
        if algorithm == 0xc {
            sha384 = sha384.or(Some(digest));
        }
        at += 2 + length;
    }
    assert!(digests.next().is_none());
    assert_eq!(number(at) as usize, event.data.len());
    assert_eq!(&bytes[at + 4..], event.data);
    let register = registers.get_mut((mr as usize).wrapping_sub(1));
    if let (Some(register), Some(digest), true) = (register, sha384, event_type != 3) {
        *register = Sha384::new()
            .chain_update(*register)
            .chain_update(digest)
            .finalize()
            .into();
    }
}

/// Reads a CCEL table. One that is read says what the bytes of a table that says the same do.
pub(crate) fn ccel(bytes: &[u8]) {
    match Ccel::parse(bytes) {
        Ok(ccel) => assert_eq!(
            Ccel::parse(&ccel.to_bytes(b"OEM   ", b"TABLE   ")),
            Ok(ccel)
        ),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
