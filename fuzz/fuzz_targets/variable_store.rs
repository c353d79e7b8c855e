// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A CFV of any bytes, and an SMBIOS table: no panic, and variables that lie within the store.

#![no_main]

#[path = "../src/images.rs"]
#[allow(dead_code)]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| images::variable_store(bytes));
