// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD HOB of any bytes: no panic, and what is believed is what a walk without any checks of its own sees.

#![no_main]

#[path = "../src/images.rs"]
#[allow(dead_code)]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| images::td_hob(bytes));
