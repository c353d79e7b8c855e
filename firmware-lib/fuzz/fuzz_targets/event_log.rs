// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The event log.

#![no_main]

#[path = "../src/bodies.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::event_log(bytes));
