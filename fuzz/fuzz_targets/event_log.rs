// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An event log of any bytes: no panic, and a replay as the events' bytes have it.

#![no_main]

#[path = "../src/logs.rs"]
#[allow(dead_code)]
mod logs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| logs::event_log(bytes));
