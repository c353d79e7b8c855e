// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A hash engine from C.

use core::ffi::c_void;
use core::{mem, ptr};
use tdx_firmware_c::{
    tdx_config, tdx_hash_engine, tdx_measurement, tdx_measurement_init, tdx_registers, tdx_result,
};

unsafe extern "C" fn init(_: *mut c_void) {}
unsafe extern "C" fn update(_: *mut c_void, _: *const u8, _: usize) {}
unsafe extern "C" fn finish(_: *mut c_void, _: *mut u8) {}
unsafe extern "C" fn tdcall(_: *mut tdx_registers) {}

fn measurement_with(engine: tdx_hash_engine) -> tdx_result {
    let mut area = [0; 1024];
    let config = tdx_config {
        log_area: area.as_mut_ptr(),
        log_area_len: area.len(),
        gpa_offset: 0,
        engine: ptr::from_ref(&engine),
        tdcall: Some(tdcall),
    };
    // SAFETY: It has bytes and numbers.
    let mut measurement: tdx_measurement = unsafe { mem::zeroed() };
    // SAFETY: Structure, area and functions are this test's, and nothing is measured.
    unsafe { tdx_measurement_init(&raw mut measurement, &raw const config) }
}

#[test]
fn an_engine_has_three_functions() {
    let engine = tdx_hash_engine {
        init: Some(init),
        update: Some(update),
        finish: Some(finish),
    };
    let invalid = tdx_result::TDX_INVALID;
    assert_eq!(measurement_with(engine), tdx_result::TDX_LOGGED);
    assert_eq!(
        measurement_with(tdx_hash_engine {
            init: None,
            ..engine
        }),
        invalid
    );
    assert_eq!(
        measurement_with(tdx_hash_engine {
            update: None,
            ..engine
        }),
        invalid
    );
    assert_eq!(
        measurement_with(tdx_hash_engine {
            finish: None,
            ..engine
        }),
        invalid
    );
}
