// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A firmware image for a TD that measures with `tdx-firmware` and nothing else: no operating system, no heap.
//!
//! It measures the TD HOB, as a TDVF does, and a payload; then it proves on the serial port that the event log replays to
//! what the registers hold and what a TDREPORT says of them, and resets the machine.
//!
//! From the folder of this package,
//!
//! ```sh
//! cargo build --release
//! objcopy -O binary ../../target/example-image/release/tdx-firmware-example example.fd
//! ```
//!
//! makes an image for QEMU's `-bios`; `cargo xtask test firmware-image` does it, boots it in an emulated TD and checks what
//! it says.

#![no_std]
#![no_main]

#[cfg(feature = "count")]
mod count;
mod host;
mod memory;
mod start;

use core::error::Error;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::slice;
use host::Host;
use tdx_call::{
    mr_report, vm_rd, vp_info, ExtendBuffer, FieldId, Gpa, Instruction, Operand, OperandMut,
    ReportBuffer, ReportDataBuffer, RtmrIndex,
};
use tdx_firmware::event_log::{EventLog, LogWriter};
use tdx_firmware::hob::TdHob;
use tdx_firmware::measurement::{action, Payload};
use tdx_firmware::{EventType, HashEngine, Measurement, Rtmrs, Sha2};
use tdx_uapi::{Digest, TdReport};

/// Where the TD HOB is, and how much memory it has: what the metadata of this image says.
const TD_HOB: u64 = 0x80_9000;
const TD_HOB_SIZE: usize = 0x2000;

/// What a TDVF's log area has.
const LOG_SIZE: usize = 64 << 10;

/// What is measured as if it were booted.
const PAYLOAD: &[u8] = include_bytes!("main.rs");

/// MD_FIELD_ID of the first 8 bytes of RTMR0; 6 such elements make a register, and the registers follow each other.
const RTMR_FIELD: u64 = 0x1310_0003_0000_0040;

/// Where [`start`] comes to, on the only vCPU that goes on. `hob` is the TD HOB's address, as the host says.
#[no_mangle]
extern "C" fn main(hob: u64) -> ! {
    // SAFETY: This image runs in 64-bit mode at privilege level 0, and is for nothing but a TD.
    let tdx = unsafe { Instruction::assume_td() };
    let mut host = Host(tdx);
    // What the port does with the text is the host's affair.
    let _ = match run(tdx, host, hob) {
        Ok(()) => writeln!(host, "PASS: replay, registers and report agree"),
        Err(error) => writeln!(host, "FAIL: {error}"),
    };
    host.reset()
}

fn run(tdx: Instruction, mut out: Host, hob: u64) -> Result<(), Failure> {
    let info = vp_info(&tdx).map_err(failed(out, "TDG.VP.INFO"))?;
    writeln!(out, "TD with {} vCPUs, GPAW {}", info.vcpus, info.gpa_width)?;

    if hob != TD_HOB {
        return Err(Failure::Check(
            "the TD HOB is not where the metadata wants it",
        ));
    }
    // SAFETY: The VMM added this memory to the TD, as the metadata asks; it is mapped one to one, private, and nothing
    // here writes to it.
    let hob = unsafe { slice::from_raw_parts(TD_HOB as *const u8, TD_HOB_SIZE) };
    let hob = TdHob::parse(hob).map_err(failed(out, "TD HOB"))?;
    for resource in hob.resources() {
        if let Some(range) = resource.range() {
            writeln!(out, "memory {range:#x?} {:?}", resource.resource_type)?;
        }
    }

    let mut area = [0; LOG_SIZE];
    #[cfg(feature = "count")]
    if let Some(count) = count::count(&area) {
        writeln!(out, "count {} {} {}", count.bytes, count.engine, count.bare)?;
    }
    let log = LogWriter::new(&mut area).map_err(failed(out, "log"))?;
    let mut buffer = ExtendBuffer::ZERO;
    let gpa = gpa_of(&buffer);
    // SAFETY: All memory is mapped one to one.
    let buffer = unsafe { OperandMut::new(&mut buffer, gpa) };
    let mut measurement = Measurement::new(&tdx, buffer, Sha2, log);
    let extend = || failed(out, "TDG.MR.RTMR.EXTEND");
    let _ = measurement
        .td_hob(Payload::Bytes(hob.measured()), TD_HOB)
        .map_err(extend())?;
    let _ = measurement.separator(RtmrIndex::Rtmr0).map_err(extend())?;
    let _ = measurement
        .action(action::CALLING_EFI_APPLICATION)
        .map_err(extend())?;
    let _ = measurement.separator(RtmrIndex::Rtmr1).map_err(extend())?;
    let _ = measurement
        .measure(RtmrIndex::Rtmr2, EventType::IPL, &[PAYLOAD], &[b"payload"])
        .map_err(extend())?;

    let log = measurement.log().bytes();
    let events = EventLog::parse(log).map_err(failed(out, "log"))?;
    for event in events.events() {
        writeln!(out, "event {}", event.map_err(failed(out, "log"))?)?;
    }
    for line in log.chunks(64) {
        writeln!(out, "log {}", tdx_uapi::Hex(line))?;
    }
    let replayed = *events.replay(Sha2).map_err(failed(out, "log"))?.rtmrs();
    let registers = registers(tdx, out)?;
    let reported = report(tdx, out)?;
    for rtmr in RtmrIndex::ALL {
        writeln!(out, "RTMR{} {}", rtmr as u8, registers[rtmr])?;
    }
    if replayed != registers {
        return Err(Failure::Check("the log does not replay to the registers"));
    }
    if reported != registers {
        return Err(Failure::Check("the report has other registers"));
    }
    if registers[RtmrIndex::Rtmr0] == Digest::ZERO {
        return Err(Failure::Check("nothing was measured"));
    }
    Ok(())
}

/// The registers as TDG.VM.RD has them.
fn registers(tdx: Instruction, out: Host) -> Result<Rtmrs, Failure> {
    let mut rtmrs = Rtmrs::ZERO;
    let words = rtmrs
        .0
        .iter_mut()
        .flat_map(|rtmr| rtmr.0.chunks_exact_mut(8));
    for (word, field) in words.zip(RTMR_FIELD..) {
        let value = vm_rd(&tdx, FieldId(field)).map_err(failed(out, "TDG.VM.RD"))?;
        word.copy_from_slice(&value.to_le_bytes());
    }
    Ok(rtmrs)
}

/// The registers as a TDREPORT has them.
fn report(tdx: Instruction, mut out: Host) -> Result<Rtmrs, Failure> {
    let reportdata = ReportDataBuffer::ZERO;
    let mut report = ReportBuffer::ZERO;
    let (reportdata_gpa, report_gpa) = (gpa_of(&reportdata), gpa_of(&report));
    // SAFETY: All memory is mapped one to one.
    let (reportdata, mut operand) = unsafe {
        (
            Operand::new(&reportdata, reportdata_gpa),
            OperandMut::new(&mut report, report_gpa),
        )
    };
    mr_report(&tdx, &mut operand, &reportdata).map_err(failed(out, "TDG.MR.REPORT"))?;
    let report = TdReport::parse(&report.0).map_err(failed(out, "TDREPORT"))?;
    report
        .check_hashes(|bytes| Sha2.digest(&[bytes]).0)
        .map_err(failed(out, "TDREPORT"))?;
    writeln!(out, "MRTD {}", report.td_info.mrtd)?;
    Ok(Rtmrs(report.td_info.rtmr))
}

/// The guest physical address of something: its address, as all memory is mapped one to one.
fn gpa_of<T>(value: &T) -> Gpa {
    Gpa(core::ptr::from_ref(value).addr() as u64)
}

/// Why the proof failed.
enum Failure {
    /// Something that should hold does not.
    Check(&'static str),
    /// Something could not be done; the error was told.
    Step(&'static str),
    /// The serial port took no text.
    Output,
}

/// Tells the error of something that was done, and makes a failure of it.
fn failed<E: Error>(mut out: Host, step: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| match writeln!(out, "{step}: {error}") {
        Ok(()) => Failure::Step(step),
        Err(fmt::Error) => Failure::Output,
    }
}

impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        Self::Output
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(text) => f.write_str(text),
            Self::Step(step) => write!(f, "{step} failed"),
            Self::Output => f.write_str("cannot write"),
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // SAFETY: As in `main`.
    let mut host = Host(unsafe { Instruction::assume_td() });
    let _ = writeln!(host, "FAIL: {info}");
    host.reset()
}
