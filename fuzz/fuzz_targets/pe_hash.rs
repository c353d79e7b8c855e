// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A PE image of any bytes: no panic, and what is hashed lies apart, in order, within the file.

#![no_main]

#[path = "../src/images.rs"]
#[allow(dead_code)]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| images::pe_hash(bytes));
