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
