// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A request for a Quote, its answer and their header of any bytes: no panic, and answers to the request only.

#![no_main]

#[path = "../src/reports.rs"]
#[allow(dead_code)]
mod reports;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reports::get_quote(bytes));
