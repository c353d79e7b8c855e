// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What firmware measures before it boots anything.

use tdx_firmware::measurement::{Payload, SecureBootVariable};
use tdx_firmware::{Guid, HashEngine};

use crate::arguments::slice;
use crate::measurement::{register, result, state, tdx_measurement, tdx_result};

/// Measures the TD HOB to RTMR0: `len` bytes at `hobs`, the list without the HOB that ends it. `address` is that of the
/// list, for the log.
///
/// # Safety
///
/// `measurement` was made; `hobs` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_td_hob(
    measurement: *mut tdx_measurement,
    hobs: *const u8,
    len: usize,
    address: u64,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(hobs, len)) };
    let (Some(state), Some(hobs)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[hobs]));
    result(state.lock().td_hob(digest, address))
}

/// Measures the configuration firmware volume to RTMR0. `guid` is null, or the 16 bytes of the volume's GUID; `base` is the
/// address for the log.
///
/// # Safety
///
/// `measurement` was made; `volume` points to `len` bytes, `guid` to 16 unless it is null.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_cfv(
    measurement: *mut tdx_measurement,
    volume: *const u8,
    len: usize,
    guid: *const u8,
    base: u64,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(volume, len),
            slice(guid, if guid.is_null() { 0 } else { 16 }),
        )
    };
    let (Some(state), Some(volume), Some(guid)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let guid = guid.try_into().ok().map(Guid);
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[volume]));
    result(state.lock().cfv(digest, guid.as_ref(), base, len as u64))
}

/// Measures a file of QEMU's fw_cfg to RTMR0, as recent edk2 does. `name` has `name_len` bytes of UTF-8, without a zero.
///
/// # Safety
///
/// `measurement` was made; `name` points to `name_len` bytes, `contents` to `len`.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_fw_cfg(
    measurement: *mut tdx_measurement,
    name: *const u8,
    name_len: usize,
    contents: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(name, name_len),
            slice(contents, len),
        )
    };
    let (Some(state), Some(name), Some(contents)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let Ok(name) = core::str::from_utf8(name) else {
        return tdx_result::TDX_INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[contents]));
    result(state.lock().fw_cfg(name, digest))
}

/// Measures a variable of secure boot to RTMR0: `variable` is 0 for SecureBoot, 1 for PK, 2 for KEK, 3 for db, 4 for dbx. These
/// five are measured in this order; one that does not exist with a length of 0. 5 is dbt, which is measured behind them only
/// where it exists.
///
/// # Safety
///
/// `measurement` was made; `contents` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_secure_boot_variable(
    measurement: *mut tdx_measurement,
    variable: u32,
    contents: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(contents, len)) };
    let (Some(state), Some(contents)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let index = usize::try_from(variable).unwrap_or(usize::MAX);
    let mut variables = SecureBootVariable::ALL
        .into_iter()
        .chain([SecureBootVariable::Dbt]);
    let Some(variable) = variables.nth(index) else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().secure_boot_variable(variable, contents))
}

/// Measures what let an image pass, an entry of db, to RTMR0. `guid` has 16 bytes, `name` has `name_len` characters.
///
/// # Safety
///
/// `measurement` was made; `guid` points to 16 bytes, `name` to `name_len` characters, `contents` to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_authority(
    measurement: *mut tdx_measurement,
    guid: *const u8,
    name: *const u16,
    name_len: usize,
    contents: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(guid, 16),
            slice(name, name_len),
            slice(contents, len),
        )
    };
    let (Some(state), Some(guid), Some(name), Some(contents)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let Ok(guid) = guid.try_into() else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().authority(&Guid(guid), name, contents))
}

/// Measures a variable that says what to boot, BootOrder or Boot0000, to RTMR0. `name` has `name_len` characters.
///
/// # Safety
///
/// `measurement` was made; `name` points to `name_len` characters, `contents` to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_boot_variable(
    measurement: *mut tdx_measurement,
    name: *const u16,
    name_len: usize,
    contents: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(name, name_len),
            slice(contents, len),
        )
    };
    let (Some(state), Some(name), Some(contents)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().boot_variable(name, contents))
}

/// Measures a blob from which ACPI tables are made to RTMR0.
///
/// # Safety
///
/// `measurement` was made; `blob` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_acpi_blob(
    measurement: *mut tdx_measurement,
    blob: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(blob, len)) };
    let (Some(state), Some(blob)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let digest = Payload::Digest(state.engine.digest(&[blob]));
    result(state.lock().acpi_blob(digest))
}

/// Measures the end of a phase to RTMR`rtmr`: 0 behind the variables of secure boot, 1 before the first boot option.
///
/// # Safety
///
/// `measurement` was made.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_separator(
    measurement: *mut tdx_measurement,
    rtmr: u32,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let Some(state) = (unsafe { state(measurement) }) else {
        return tdx_result::TDX_INVALID;
    };
    let Some(rtmr) = register(rtmr) else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().separator(rtmr))
}

/// Measures what the firmware does to RTMR1: a string of `len` characters, without a zero.
///
/// # Safety
///
/// `measurement` was made; `action` points to `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn tdx_measure_action(
    measurement: *mut tdx_measurement,
    action: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), slice(action, len)) };
    let (Some(state), Some(action)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    result(state.lock().action(action))
}
