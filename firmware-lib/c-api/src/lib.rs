// SPDX-License-Identifier: Apache-2.0 OR MIT

//! [`tdx_firmware`] for firmware in C.
//!
//! `include/tdx-firmware.h` is made from this; a test says when it is not up to date. All memory is the caller's, and
//! nothing is allocated. Calls of several CPUs for the same `tdx_measurement` wait for one another by spinning.
//!
//! ```c
//! #include "tdx-firmware.h"
//!
//! static struct tdx_measurement measurement;
//! static uint8_t log_area[65536];
//!
//! struct tdx_config config = { .log_area = log_area, .log_area_len = sizeof(log_area) };
//! if (tdx_measurement_init(&measurement, &config) != TDX_LOGGED)
//!         halt();
//! tdx_measure_load_options(&measurement, command_line, command_line_len);
//! ```
//!
//! `tests/first_boot.c` is a whole boot, which the tests compile and run.

// With unwinding, as tests are built, there has to be `std`; firmware is built without.
#![cfg_attr(panic = "abort", no_std)]
// The names are C's.
#![allow(non_camel_case_types)]

mod arguments;
mod boot;
mod engine;
mod firmware;
mod measurement;
mod protocol;

pub use boot::*;
pub use engine::*;
pub use firmware::*;
pub use measurement::*;
pub use protocol::*;

/// Nothing here panics but for a bug. Firmware that wants to hear of it brings its own handler, with a library of its own
/// around [`tdx_firmware`].
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
