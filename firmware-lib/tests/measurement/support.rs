// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD that measures.

use tdx_call::{ExtendBuffer, Gpa, OperandMut, RtmrIndex};
use tdx_firmware::event_log::{EventLog, LogWriter};
use tdx_firmware::{Measurement, Rtmrs, Sha2};
use tdx_module::{InProcess, Platform, TdParameters};

pub(crate) type Measuring<'a> = Measurement<'a, &'a InProcess, Sha2>;

/// A TD whose memory is this process.
pub(crate) fn td() -> InProcess {
    InProcess::new(TdParameters::default(), Platform::default()).expect("the defaults make a TD")
}

/// The registers as the TDX module has them.
pub(crate) fn registers(tdx: &InProcess) -> Rtmrs {
    Rtmrs(RtmrIndex::ALL.map(|rtmr| tdx.td().rtmr(rtmr)))
}

/// The registers that a log leads to.
pub(crate) fn replayed(log: &[u8]) -> Rtmrs {
    *EventLog::parse(log).unwrap().replay(Sha2).unwrap().rtmrs()
}

/// The events of a log: register, type and what it says.
pub(crate) fn lines(log: &[u8]) -> Vec<String> {
    let events = EventLog::parse(log).unwrap().events();
    events
        .map(|event| {
            let event = event.unwrap();
            format!("{} {}: {}", event.mr, event.event_type, event.decode())
        })
        .collect()
}

/// Measures into `area`.
pub(crate) fn measuring<'a>(tdx: &'a InProcess, area: &'a mut [u8]) -> Measuring<'a> {
    with(tdx, LogWriter::new(area).expect("the area is large enough"))
}

/// Measures into a log.
pub(crate) fn with<'a>(tdx: &'a InProcess, log: LogWriter<'a>) -> Measuring<'a> {
    let buffer = Box::leak(Box::new(ExtendBuffer::ZERO));
    let gpa = Gpa(&raw const *buffer as u64);
    // SAFETY: A guest physical address is a pointer for this TD.
    let buffer = unsafe { OperandMut::new(buffer, gpa) };
    Measurement::new(tdx, buffer, Sha2, log)
}
