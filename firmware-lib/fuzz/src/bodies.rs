// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input. The crate's tests do the same with the corpus.

use std::fmt::Write as _;

use tdx_firmware::ccel::Ccel;
use tdx_firmware::event_log::{EventLog, LogWriter, Replay};
use tdx_firmware::Sha2;

/// Reads a log, displays and replays it; and has a writer go on with it, who finds the same end.
pub(crate) fn event_log(bytes: &[u8]) {
    let Ok(log) = EventLog::parse(bytes) else {
        assert!(LogWriter::resume(&mut bytes.to_vec(), false).is_err());
        return;
    };
    let mut text = format!("{}", log.spec_id());
    let mut replay = Replay::new(Sha2);
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
    let mut area = bytes.to_vec();
    match LogWriter::resume(&mut area, false) {
        Ok(writer) => assert!(!broken && writer.bytes() == &bytes[..offset]),
        Err(_) => assert!(broken),
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
