// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TDREPORT of any bytes: no panic, and fields where the specification has them.

#![no_main]

#[path = "../src/reports.rs"]
#[allow(dead_code)]
mod reports;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reports::td_report(bytes));
