// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whatever is measured, the log says it, and leads to the registers that the model of the TDX module has.

use proptest::collection::vec;
use proptest::prelude::*;
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::EventLog;
use tdx_firmware::EventType;
use tdx_uapi::Digest;

use crate::support::{measuring, registers, replayed, td};

/// Something that is measured: register, type, digest, data.
type Measured = (usize, u32, [u8; 48], Vec<u8>);

fn measured() -> impl Strategy<Value = Measured> {
    let event_type = prop_oneof![0_u32..20, 0x8000_0001_u32..0x8000_000f, any::<u32>()];
    (
        0_usize..4,
        event_type,
        any::<[u8; 48]>(),
        vec(any::<u8>(), 0..200),
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(all in vec(measured(), 0..30)) {
        let (tdx, mut area) = (td(), vec![0; 1 << 14]);
        let mut measurement = measuring(&tdx, &mut area);
        for (rtmr, event_type, digest, data) in &all {
            let (front, back) = data.split_at(data.len() / 3);
            let _ = measurement.record(RtmrIndex::ALL[*rtmr], EventType(*event_type), &Digest(*digest), &[front, back]);
        }
        let log = EventLog::parse(measurement.log().area()).unwrap();
        let read: Vec<Measured> = log.events().map(|event| {
            let event = event.unwrap();
            (event.mr.rtmr().unwrap() as usize, event.event_type.0, event.digest().unwrap().0, event.data.to_vec())
        }).collect();
        let expected: Vec<Measured> = all.into_iter().map(|(rtmr, event_type, digest, data)| {
            (rtmr, event_type, if event_type == EventType::NO_ACTION.0 { [0; 48] } else { digest }, data)
        }).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(replayed(measurement.log().bytes()), registers(&tdx));
    }

    #[test]
    fn log_of_any_area_is_a_beginning_of_what_was_measured(len in 65_usize..1000, all in vec(measured(), 0..10)) {
        let (tdx, mut area) = (td(), vec![0; len]);
        let mut measurement = measuring(&tdx, &mut area);
        for (rtmr, event_type, digest, data) in &all {
            let _ = measurement.record(RtmrIndex::ALL[*rtmr], EventType(*event_type), &Digest(*digest), &[data]);
        }
        let log = EventLog::parse(measurement.log().area()).unwrap();
        let read: Vec<Vec<u8>> = log.events().map(|event| event.unwrap().data.to_vec()).collect();
        prop_assert!(all.iter().map(|measured| &measured.3).zip(&read).all(|(a, b)| a == b));
        prop_assert_eq!(measurement.log().is_truncated(), read.len() < all.len());
    }
}
