// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A CFV of any bytes, and an SMBIOS table: no panic, and variables that lie within the store.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tdx_firmware::expect::{smbios_digest, VariableStore};
use tdx_firmware::Sha2;

fuzz_target!(|bytes: &[u8]| {
    let _ = smbios_digest(&Sha2, bytes);
    let Ok(store) = VariableStore::parse(bytes) else {
        return;
    };
    let mut total = 0;
    for variable in store.variables() {
        total += 60 + variable.data.len();
        let name: Vec<u16> = variable.name().collect();
        assert!(!name.contains(&0));
        assert!(store.find(&variable.guid, &name).is_some());
    }
    assert!(total <= bytes.len());
    let _ = (store.secure_boot(), format!("{store:?}"));
});
