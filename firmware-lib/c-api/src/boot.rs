// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured when a payload is booted.

use tdx_firmware::measurement::{GptError, LoadedImage, Payload};
use tdx_firmware::HashEngine;

use crate::arguments::slice;
use crate::measurement::{digest_at, result, state, tdx_measurement, tdx_result};

/// Measures a program that is booted, such as a kernel, to RTMR1. `authenticode` has the 48 bytes of the Authenticode SHA-384
/// of its PE image; the rest is for the log: where it is in memory, its length, where it was linked to, and the device path
/// that it came from, of `path_len` bytes.
///
/// # Safety
///
/// `measurement` was made; `authenticode` points to 48 bytes, `path` to `path_len`.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_application(
    measurement: *mut tdx_measurement,
    authenticode: *const u8,
    location: u64,
    len: u64,
    link_time_address: u64,
    path: *const u8,
    path_len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            digest_at(authenticode),
            slice(path, path_len),
        )
    };
    let (Some(state), Some(digest), Some(device_path)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let image = LoadedImage {
        location,
        len,
        link_time_address,
        device_path,
    };
    result(state.lock().application(&digest, &image))
}

/// Measures the load options that a kernel is given, its command line in UCS-2, to RTMR2, as Linux's EFI stub does.
///
/// # Safety
///
/// `measurement` was made; `bytes` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_load_options(
    measurement: *mut tdx_measurement,
    bytes: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(bytes, len)) };
    let (Some(state), Some(bytes)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[bytes]));
    result(state.lock().load_options(digest))
}

/// Measures an initrd to RTMR2, as Linux's EFI stub does.
///
/// # Safety
///
/// `measurement` was made; `bytes` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_initrd(
    measurement: *mut tdx_measurement,
    bytes: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(bytes, len)) };
    let (Some(state), Some(bytes)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[bytes]));
    result(state.lock().initrd(digest))
}

/// Measures the partition table of the disk that is booted from to RTMR1: the header, and as many entries as it says.
///
/// # Safety
///
/// `measurement` was made; `header` points to `header_len` bytes, `entries` to `entries_len`.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_gpt(
    measurement: *mut tdx_measurement,
    header: *const u8,
    header_len: usize,
    entries: *const u8,
    entries_len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(header, header_len),
            slice(entries, entries_len),
        )
    };
    let (Some(state), Some(header), Some(entries)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    match state.lock().gpt(header, entries) {
        Ok(recorded) => result(Ok(recorded)),
        Err(GptError::Extend(error)) => result(Err(error)),
        Err(_) => tdx_result::TDX_INVALID,
    }
}

/// Measures to RTMR1 that the payload ended boot services, as two events, or that it could not, as one. `TDX_REFUSED` may come
/// after the first of the two; `tdx_measure_action` measures either by itself.
///
/// # Safety
///
/// `measurement` was made.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_exit_boot_services(
    measurement: *mut tdx_measurement,
    success: bool,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let Some(state) = (unsafe { state(measurement) }) else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().exit_boot_services(success))
}
