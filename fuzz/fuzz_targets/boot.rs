// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A boot of any variables, image, disk, ACPI commands and command line: no panic, and registers that are what the events
//! lead to.

#![no_main]

#[path = "../src/boots.rs"]
mod boots;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| boots::boot(bytes));
