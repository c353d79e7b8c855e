// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A firmware image of any bytes: no panic, and sections that a VMM can load without a check of its own.

#![no_main]

#[path = "../src/images.rs"]
#[allow(dead_code)]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| images::tdvf_metadata(bytes));
