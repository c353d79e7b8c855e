// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A Quote of any bytes: no panic, and parts that are the whole.

#![no_main]

#[path = "../src/reports.rs"]
#[allow(dead_code)]
mod reports;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reports::quote(bytes));
