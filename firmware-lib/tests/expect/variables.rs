// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The variables that firmware comes with.

use super::support::{cfv, firmware, keys, Parts, Variable, FIRST, SECURE_BOOT_ENABLE};
use crate::common::put;
use proptest::prelude::*;
use tdx_firmware::expect::{ExpectError, VariableStore};
use tdx_firmware::{Guid, Sha2};

#[test]
fn secure_boot_is_on_with_a_platform_key_unless_turned_off() {
    let with = |variables: &[Variable<'_>]| {
        let cfv = cfv(variables);
        let store = VariableStore::parse(&cfv).unwrap();
        store.secure_boot()
    };
    let pk = (Guid::GLOBAL_VARIABLE, "PK", &b"key"[..], 0x3f);
    let enable = |value: &'static [u8]| (SECURE_BOOT_ENABLE, "SecureBootEnable", value, 0x3f);
    assert!(with(&[pk]));
    assert!(with(&[pk, enable(&[1])]));
    assert!(!with(&[pk, enable(&[0])]));
    assert!(!with(&[enable(&[1])]));
    assert!(!with(&[(pk.0, pk.1, pk.2, 0x3d)]), "a deleted key");
}

#[test]
fn a_cut_variable_is_an_error() {
    let mut cfv = keys();
    put(&mut cfv, FIRST + 40, &0x2000_u32.to_le_bytes());
    assert_eq!(
        VariableStore::parse(&cfv).err(),
        Some(ExpectError::Variable { offset: FIRST })
    );
    let mut parts = Parts::new();
    parts.firmware = firmware(&cfv);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::Variable { offset: FIRST }));
    parts.firmware = firmware(&[0xff; 0x1000]);
    let result = parts.with(|_| (), |boot| boot.rtmrs(&Sha2));
    assert_eq!(result, Err(ExpectError::NoVariableStore));
}

proptest! {
    #[test]
    fn no_store_makes_it_panic(
        changes in proptest::collection::vec((0..0x200_usize, any::<u8>()), 1..6),
        length in 0..0x1000_usize,
    ) {
        let mut cfv = keys();
        for (offset, value) in changes {
            cfv[offset] = value;
        }
        for bytes in [&cfv[..], &cfv[..length]] {
            if let Ok(store) = VariableStore::parse(bytes) {
                let _ = (store.secure_boot(), format!("{store:?}"));
            }
        }
    }
}
