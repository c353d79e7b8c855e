// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `EFI_CC_MEASUREMENT_PROTOCOL` and CCEL.

use core::ptr;
use tdx_firmware::ccel::Ccel;
use tdx_firmware::protocol::{HashedEvent, ProtocolError, PE_COFF_IMAGE};

use crate::arguments::slice;
use crate::measurement::{digest_at, state, tdx_measurement, tdx_result};

/// `HashLogExtendEvent` of `EFI_CC_MEASUREMENT_PROTOCOL`, and its `EFI_STATUS`.
///
/// `event` is the caller's `EFI_CC_EVENT`. Where the flags say that the data is a PE image, `authenticode` is the SHA-384 of
/// it that the firmware computed, or null where it could not.
///
/// # Safety
///
/// `measurement` was made; `data` points to `len` bytes, `event` to as many as its first field says, `authenticode` to 48
/// unless it is null.
#[no_mangle]
pub unsafe extern "C" fn tdx_hash_log_extend_event(
    measurement: *mut tdx_measurement,
    flags: u64,
    data: *const u8,
    len: usize,
    event: *const u8,
    authenticode: *const u8,
) -> u64 {
    const INVALID: u64 = ProtocolError::InvalidParameter("").efi_status();
    if event.is_null() {
        return INVALID;
    }
    // SAFETY: The event begins with its length. It need not be aligned.
    let event_len = unsafe { ptr::read_unaligned(event.cast::<u32>()) };
    let Ok(event_len) = usize::try_from(event_len) else {
        return INVALID;
    };
    // A PE image is not hashed here.
    let len = if flags & PE_COFF_IMAGE == 0 { len } else { 0 };
    // SAFETY: By the requirements of this function.
    let arguments = unsafe {
        (
            state(measurement),
            slice(data, len),
            slice(event, event_len),
            digest_at(authenticode),
        )
    };
    let (Some(state), Some(data), Some(event), authenticode) = arguments else {
        return INVALID;
    };
    // Hashed before the lock is taken: that takes longest.
    let hashed = HashedEvent::new(&state.engine, flags, data, event, |_, _| authenticode);
    match hashed.and_then(|hashed| hashed.record(&mut state.lock())) {
        Ok(()) => 0,
        Err(error) => error.efi_status(),
    }
}

/// Writes the 56 bytes of a CCEL table for a log whose area is at this guest physical address. `oem_id` has 6 bytes,
/// `oem_table_id` has 8.
///
/// # Safety
///
/// The pointers are to as many bytes as this says, and `table` to 56 that may be written.
#[no_mangle]
pub unsafe extern "C" fn tdx_ccel(
    area_start: u64,
    area_len: u64,
    oem_id: *const u8,
    oem_table_id: *const u8,
    table: *mut u8,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (slice(oem_id, 6), slice(oem_table_id, 8)) };
    let (Some(oem_id), Some(oem_table_id)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let (Ok(oem_id), Ok(oem_table_id)) = (oem_id.try_into(), oem_table_id.try_into()) else {
        return tdx_result::TDX_INVALID;
    };
    if table.is_null() {
        return tdx_result::TDX_INVALID;
    }
    let bytes = Ccel::tdx(area_start, area_len).to_bytes(oem_id, oem_table_id);
    // SAFETY: 56 bytes may be written there.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), table, bytes.len()) };
    tdx_result::TDX_LOGGED
}
