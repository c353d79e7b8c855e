// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input that is a log, or says where one is.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha384};
use tdx_call::RtmrIndex;
use tdx_firmware::ccel::Ccel;
use tdx_firmware::event_data::{EventData, VariableValue};
use tdx_firmware::event_log::{Event, EventLog, LogWriter, Replay, Step};
use tdx_firmware::{HashEngine, Sha2};

/// Reads a log, displays and replays it, as a few lines of arithmetic do it too; and has a writer go on with it, who finds
/// the same end.
pub(crate) fn event_log(bytes: &[u8]) {
    let log = match EventLog::parse(bytes) {
        Ok(log) => log,
        Err(error) => {
            assert!(error.to_string().starts_with("no CC event log: "));
            assert!(LogWriter::resume(&mut bytes.to_vec(), false).is_err());
            return;
        }
    };
    let mut text = format!("{}", log.spec_id());
    let lengths: Vec<_> = log.spec_id().algorithms().collect();
    let mut replay = Replay::new(Sha2);
    let mut registers = Registers::new();
    let mut events = log.events();
    let mut offset = events.offset();
    let mut broken = None;
    while let Some(event) = events.next() {
        match event {
            Ok(event) => {
                assert_eq!(event.offset, offset);
                assert!(events.offset() > offset && events.offset() <= bytes.len());
                write!(text, "{event} {event:?} {}", event.check(&Sha2)).expect("there is a heap");
                data(&event.decode());
                let step = replay.apply(&event);
                registers.extend(&event, &bytes[offset..events.offset()], &lengths);
                match step {
                    Step::Extended { rtmr, value } => {
                        assert_eq!(value.0, registers.values[rtmr as usize]);
                    }
                    Step::NotExtended(why) => assert!(!why.to_string().is_empty()),
                }
            }
            Err(error) => {
                assert_eq!(error.offset, offset);
                write!(text, "{error}").expect("there is a heap");
                broken = Some(error);
            }
        }
        offset = events.offset();
    }
    assert!(events.next().is_none());
    registers.are_those_of(&replay);
    match (log.replay(Sha2), broken) {
        (Ok(replay), None) => registers.are_those_of(&replay),
        (Err(error), Some(broken)) => assert_eq!(error, broken),
        other => panic!("one ends well and the other does not: {other:?}"),
    }
    let mut area = bytes.to_vec();
    match LogWriter::resume(&mut area, false) {
        Ok(writer) => assert!(broken.is_none() && writer.bytes() == &bytes[..offset]),
        Err(_) => assert!(broken.is_some()),
    }
}

/// What an event's data says can be shown in both forms, and the parts of a list are its whole.
fn data(data: &EventData<'_>) {
    assert!(!format!("{data:?}").is_empty());
    let EventData::Variable(variable) = data else {
        return;
    };
    if let VariableValue::Signatures(lists) = variable.value() {
        let mut length = 0;
        for list in lists.iter() {
            let signatures = list.iter().map(|(owner, data)| {
                assert_eq!(owner.to_text().len(), 36);
                16 + data.len()
            });
            length += 28 + list.header.len() + signatures.sum::<usize>();
        }
        assert_eq!(length, variable.data.len());
    }
}

/// The registers by a few lines of arithmetic.
struct Registers {
    values: [[u8; 48]; 4],
    extended: [usize; 4],
    separators: [usize; 4],
}

impl Registers {
    fn new() -> Self {
        Self {
            values: [[0; 48]; 4],
            extended: [0; 4],
            separators: [0; 4],
        }
    }

    /// Takes the bytes of one event apart, compares, and does what they say.
    fn extend(&mut self, event: &Event<'_>, bytes: &[u8], lengths: &[(u16, u16)]) {
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
        let index = (mr as usize).wrapping_sub(1);
        if let (0..=3, Some(digest), true) = (index, sha384, event_type != 3) {
            let old = self.values[index];
            let hash = Sha384::new().chain_update(old).chain_update(digest);
            self.values[index] = hash.finalize().into();
            self.extended[index] += 1;
            self.separators[index] += usize::from(event_type == 4);
        }
    }

    fn are_those_of<E: HashEngine>(&self, replay: &Replay<E>) {
        assert_eq!(replay.rtmrs().0.map(|digest| digest.0), self.values);
        assert_eq!(
            RtmrIndex::ALL.map(|rtmr| replay.extended(rtmr)),
            self.extended
        );
        let separators = RtmrIndex::ALL.map(|rtmr| replay.separators(rtmr));
        assert_eq!(separators, self.separators);
        assert!(replay
            .duplicate_separators()
            .all(|rtmr| self.separators[rtmr as usize] > 1));
    }
}

/// Reads a CCEL table. One that is read says what the bytes of a table that says the same do.
pub(crate) fn ccel(bytes: &[u8]) {
    match Ccel::parse(bytes) {
        Ok(ccel) => {
            let table = ccel.to_bytes(b"OEM   ", b"TABLE   ");
            assert_eq!(Ccel::parse(&table), Ok(ccel));
            assert_eq!(table[36..38], bytes[36..38]);
            assert_eq!(table[40..], bytes[40..56]);
            let of_tdx = Ccel::tdx(ccel.area_start, ccel.area_len);
            assert_eq!(of_tdx == ccel, bytes[36..38] == [2, 0]);
        }
        Err(error) => assert!(error.to_string().starts_with("no CCEL table: ")),
    }
}
