// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A PE image of any bytes: no panic, and the hash that a plain reading of Microsoft's rules gives.

#![no_main]

#[path = "../src/images.rs"]
#[allow(dead_code)]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| images::pe_hash(bytes));
