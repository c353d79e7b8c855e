// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The primitive, and the log that it writes.

use std::sync::Mutex;

use tdx_call::{Error, Registers, RtmrIndex, Status, Transport};
use tdx_firmware::event_log::{EventLog, LogWriter, OpenError};
use tdx_firmware::measurement::Recorded;
use tdx_firmware::{EventType, HashEngine, Measurement, MrIndex, Rtmrs, Sha2};
use tdx_uapi::Digest;

use crate::support::{lines, measuring, registers, replayed, td, with};

/// An event's bytes without its data.
const EVENT: usize = 66;
/// A header's bytes.
const HEADER: usize = 65;

#[test]
fn begins_with_the_header_that_edk2_writes() {
    let mut area = [0; 80];
    let log = LogWriter::new(&mut area).unwrap();
    let mut expected = vec![1, 0, 0, 0, 3, 0, 0, 0];
    expected.extend([0; 20]);
    expected.extend([33, 0, 0, 0]);
    expected.extend(b"Spec ID Event03\0");
    expected.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 12, 0, 48, 0, 0]);
    assert_eq!(log.bytes(), expected);
    assert_eq!(log.area()[HEADER..], [0xff; 15]);
    assert_eq!(log.last_event(), 0);
}

#[test]
fn extends_the_register_and_writes_the_event() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut measurement = measuring(&tdx, &mut area);
    let recorded = measurement.measure(
        RtmrIndex::Rtmr2,
        EventType::IPL,
        &[b"ke", b"rnel"],
        &[b"ker", b"nel"],
    );
    assert_eq!(recorded, Ok(Recorded::Logged));

    let digest = Sha2.digest(&[b"kernel"]);
    let mut expected = Rtmrs::ZERO;
    expected.extend(&Sha2, RtmrIndex::Rtmr2, &digest);
    assert_eq!(registers(&tdx), expected);

    let log = EventLog::parse(measurement.log().bytes()).unwrap();
    let event = log.events().next().unwrap().unwrap();
    assert_eq!(
        (event.mr, event.event_type),
        (MrIndex::RTMR2, EventType::IPL)
    );
    assert_eq!(
        (event.digest(), event.data),
        (Some(&digest), &b"kernel"[..])
    );
    assert_eq!(measurement.log().bytes().len(), HEADER + EVENT + 6);
    assert_eq!(measurement.log().last_event(), HEADER);
}

#[test]
fn event_that_fills_the_area_to_the_last_byte_is_there() {
    let (tdx, mut area) = (td(), [0; HEADER + EVENT + 4]);
    let mut measurement = measuring(&tdx, &mut area);
    assert_eq!(
        measurement.separator(RtmrIndex::Rtmr0),
        Ok(Recorded::Logged)
    );
    assert_eq!(
        lines(measurement.log().area()),
        ["RTMR0 EV_SEPARATOR: separator"]
    );
    assert!(!measurement.log().is_truncated());
}

#[test]
fn event_without_room_still_extends_and_truncates_the_log() {
    let (tdx, mut area) = (td(), [0; HEADER + EVENT + 3]);
    let mut measurement = measuring(&tdx, &mut area);
    assert_eq!(
        measurement.separator(RtmrIndex::Rtmr0),
        Ok(Recorded::Truncated)
    );
    assert!(measurement.log().is_truncated());
    assert!(lines(measurement.log().area()).is_empty());
    let mut expected = Rtmrs::ZERO;
    expected.extend(&Sha2, RtmrIndex::Rtmr0, &Sha2.digest(&[&[0; 4]]));
    assert_eq!(registers(&tdx), expected);
}

#[test]
fn truncated_log_has_no_holes() {
    let (tdx, mut area) = (td(), [0; HEADER + EVENT + 3]);
    let mut measurement = measuring(&tdx, &mut area);
    assert_eq!(
        measurement.separator(RtmrIndex::Rtmr0),
        Ok(Recorded::Truncated)
    );
    // This one would have room.
    assert_eq!(measurement.action(b"a"), Ok(Recorded::Truncated));
    assert!(lines(measurement.log().area()).is_empty());
    assert_ne!(registers(&tdx)[RtmrIndex::Rtmr1], Digest::ZERO);
}

#[test]
fn event_without_data_is_written_and_read() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut measurement = measuring(&tdx, &mut area);
    assert_eq!(
        measurement.measure(RtmrIndex::Rtmr0, EventType::ACTION, &[], &[]),
        Ok(Recorded::Logged)
    );
    assert_eq!(
        measurement.separator(RtmrIndex::Rtmr0),
        Ok(Recorded::Logged)
    );
    assert_eq!(
        lines(measurement.log().bytes()),
        ["RTMR0 EV_ACTION: no data", "RTMR0 EV_SEPARATOR: separator"]
    );
}

#[test]
fn no_action_is_logged_and_not_extended() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut measurement = measuring(&tdx, &mut area);
    let recorded = measurement.record(
        RtmrIndex::Rtmr0,
        EventType::NO_ACTION,
        &Digest([7; 48]),
        &[b"note"],
    );
    assert_eq!(recorded, Ok(Recorded::Logged));
    assert_eq!(registers(&tdx), Rtmrs::ZERO);
    assert_eq!(replayed(measurement.log().bytes()), Rtmrs::ZERO);
}

#[test]
fn later_phase_goes_on_with_the_log() {
    let (tdx, mut area) = (td(), [0; 512]);
    let mut first = measuring(&tdx, &mut area);
    assert_eq!(first.separator(RtmrIndex::Rtmr0), Ok(Recorded::Logged));
    let mut second = with(&tdx, LogWriter::resume(&mut area, false).unwrap());
    assert_eq!(second.log().last_event(), HEADER);
    assert_eq!(second.separator(RtmrIndex::Rtmr1), Ok(Recorded::Logged));
    assert_eq!(
        lines(&area),
        [
            "RTMR0 EV_SEPARATOR: separator",
            "RTMR1 EV_SEPARATOR: separator"
        ]
    );
    assert_eq!(replayed(&area), registers(&tdx));
}

#[test]
fn areas_that_hold_no_log_are_refused() {
    assert_eq!(
        LogWriter::new(&mut [0; 64]).unwrap_err(),
        OpenError::Area { len: 64 }
    );
    assert!(matches!(
        LogWriter::resume(&mut [0xff; 512], false),
        Err(OpenError::Header(_))
    ));
    let mut area = [0; 512];
    LogWriter::new(&mut area).unwrap();
    area[HEADER] = 1;
    assert!(matches!(
        LogWriter::resume(&mut area, false),
        Err(OpenError::Event(_))
    ));
}

/// A TDX module that refuses some calls as busy, and all that come later for another reason.
struct Refusing {
    busy: Mutex<u32>,
}

// SAFETY: It accesses no memory, and says in RAX that it did not.
unsafe impl Transport for Refusing {
    unsafe fn tdcall(&self, registers: &mut Registers) {
        let mut busy = self.busy.lock().unwrap();
        registers.rax = match *busy {
            0 => Status::OPERAND_INVALID.0,
            _ => Status::OPERAND_BUSY.0,
        };
        *busy = busy.saturating_sub(1);
    }
}

#[test]
fn refused_extension_leaves_the_log_as_it_was() {
    let tdx = Refusing {
        busy: Mutex::new(3),
    };
    for len in [HEADER, 512] {
        let mut area = vec![0; len];
        let mut buffer = tdx_call::ExtendBuffer::ZERO;
        let gpa = tdx_call::Gpa(&raw const buffer as u64);
        // SAFETY: The TDX module above accesses no memory.
        let buffer = unsafe { tdx_call::OperandMut::new(&mut buffer, gpa) };
        let mut measurement =
            Measurement::new(&tdx, buffer, Sha2, LogWriter::new(&mut area).unwrap());
        let error: Error = measurement.separator(RtmrIndex::Rtmr0).unwrap_err();
        assert_eq!(error.status(), Status::OPERAND_INVALID);
        assert!(!measurement.log().is_truncated());
        assert_eq!(measurement.log().bytes().len(), HEADER);
    }
    assert_eq!(*tdx.busy.lock().unwrap(), 0);
}

#[test]
fn several_cpus_share_one_log_behind_a_spin_lock() {
    let (tdx, mut area) = (td(), vec![0; 1 << 16]);
    let shared = spin::Mutex::new(measuring(&tdx, &mut area));
    std::thread::scope(|scope| {
        for cpu in 0..4_u8 {
            let shared = &shared;
            scope.spawn(move || {
                for round in 0..50_u8 {
                    let data = [cpu, round];
                    let digest = Sha2.digest(&[&data]);
                    let rtmr = RtmrIndex::ALL[usize::from(round % 4)];
                    let recorded = shared
                        .lock()
                        .record(rtmr, EventType::ACTION, &digest, &[&data]);
                    assert_eq!(recorded, Ok(Recorded::Logged));
                }
            });
        }
    });
    let measurement = shared.into_inner();
    assert_eq!(lines(measurement.log().bytes()).len(), 200);
    assert_eq!(replayed(measurement.log().bytes()), registers(&tdx));
}
