// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Measuring all that a TDVF measures.

use core::hint::black_box;
use tdx_call::{ExtendBuffer, Gpa, Instruction, OperandMut, RtmrIndex};
use tdx_firmware::ccel::Ccel;
use tdx_firmware::event_log::LogWriter;
use tdx_firmware::measurement::{action, LoadedImage, Payload, SecureBootVariable};
use tdx_firmware::protocol::hash_log_extend_event;
use tdx_firmware::{Measurement, Sha2};
use tdx_uapi::Digest;

/// Measures a boot.
pub(crate) fn run(area: &'static mut [u8]) {
    let (payload, area) = area.split_at_mut(black_box(4096).min(area.len()));
    let payload = Payload::Bytes(payload);
    let Payload::Bytes(bytes) = payload else {
        return;
    };
    let Ok(log) = LogWriter::new(area) else {
        return;
    };
    let mut buffer = ExtendBuffer::ZERO;
    let gpa = Gpa(&raw const buffer as u64);
    // SAFETY: This is never run. In firmware, memory is mapped one to one.
    let (buffer, tdx) = unsafe { (OperandMut::new(&mut buffer, gpa), Instruction::assume_td()) };
    let mut measurement = Measurement::new(tdx, buffer, Sha2, log);
    let m = &mut measurement;
    let _ = black_box(m.td_hob(payload, 0));
    let _ = black_box(m.cfv(payload, None, 0, 0));
    let _ = black_box(m.fw_cfg("etc/e820", payload));
    for variable in SecureBootVariable::ALL {
        let _ = black_box(m.secure_boot_variable(variable, bytes));
    }
    let _ = black_box(m.separator(RtmrIndex::Rtmr0));
    let _ = black_box(m.acpi_blob(payload));
    let _ = black_box(m.boot_variable(&[], bytes));
    let _ = black_box(m.action(action::CALLING_EFI_APPLICATION));
    let _ = black_box(m.gpt(bytes, bytes));
    let image = LoadedImage {
        location: 0,
        len: 0,
        link_time_address: 0,
        device_path: bytes,
    };
    let _ = black_box(m.application(&Digest::ZERO, &image));
    let _ = black_box(m.load_options(payload));
    let _ = black_box(m.initrd(payload));
    let _ = black_box(m.exit_boot_services(true));
    let _ = black_box(hash_log_extend_event(m, 0, bytes, bytes, |_, _| None));
    black_box(Ccel::tdx(0, 0).to_bytes(b"OEM   ", b"TABLE   "));
}
