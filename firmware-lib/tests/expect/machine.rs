// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What QEMU makes up for a machine.

use super::support::{smbios, Parts};
use crate::common::put;
use tdx_firmware::expect::{smbios_digest, ExpectError};
use tdx_firmware::{HashEngine, Sha2};

#[test]
fn what_tells_machines_apart_is_not_measured() {
    let digest = |table: &[u8]| smbios_digest(&Sha2, table);
    let table = smbios();
    let serial = table.windows(6).position(|text| text == b"serial").unwrap();
    let secret = table.windows(4).position(|text| text == b"text").unwrap();
    for at in [8, 23, 24, serial, serial + 5, secret] {
        let mut other = table.clone();
        other[at] ^= 1;
        assert_eq!(digest(&other), digest(&table), "byte {at}");
    }
    for at in [2, 25, 27, serial - 2] {
        let mut other = table.clone();
        other[at] ^= 1;
        assert_ne!(digest(&other), digest(&table), "byte {at}");
    }
    let mut hidden = table.clone();
    hidden[7] = 0;
    hidden[8..25].fill(0);
    hidden[serial..serial + 6].fill(b' ');
    let end = table.len() - 6;
    hidden[secret - 1..end].fill(0);
    assert_eq!(digest(&table), Some(Sha2.digest(&[&hidden])));
    // What is behind the end does not count, and a table without one is cut.
    assert_eq!(digest(&[&table[..], b"more"].concat()), digest(&table));
    assert!((0..table.len()).all(|length| digest(&table[..length]).is_none()));
}

#[test]
fn what_tells_power_supplies_apart_is_not_measured() {
    // Serial number, asset tag and part number are its strings 4 to 6; behind them is its revision.
    let table = |strings: [&str; 7]| {
        let header = [39, 16, 0, 39, 1, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0];
        let strings = strings.map(|text| format!("{text}\0")).concat();
        [&header[..], strings.as_bytes(), &[0, 127, 4, 2, 1, 0, 0]].concat()
    };
    let digest = |strings| smbios_digest(&Sha2, &table(strings)).unwrap();
    let usual = digest(["at", "ps", "by", "se", "as", "pa", "re"]);
    assert_eq!(digest(["at", "ps", "by", "SE", "AS", "PA", "re"]), usual);
    for index in [0, 1, 2, 6] {
        let mut strings = ["at", "ps", "by", "se", "as", "pa", "re"];
        strings[index] = "XX";
        assert_ne!(digest(strings), usual, "string {index}");
    }
}

#[test]
fn the_table_loader_names_its_files() {
    let mut parts = Parts::new();
    parts.table_loader.push(0);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::TableLoader { found: 385 }));
    let mut parts = Parts::new();
    put(&mut parts.table_loader, 128 + 4, b"etc/other");
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::AcpiBlob { command: 1 }));
}
