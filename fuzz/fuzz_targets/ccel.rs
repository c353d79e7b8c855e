// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The CCEL table.

#![no_main]

#[path = "../src/logs.rs"]
#[allow(dead_code)]
mod logs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    logs::ccel(bytes);
    // With the checksum set right, so that what comes behind it is reached.
    if let Some(table) = bytes.get(..56) {
        let mut table = table.to_vec();
        table[9] = 0;
        table[9] = table
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
            .wrapping_neg();
        logs::ccel(&table);
    }
});
