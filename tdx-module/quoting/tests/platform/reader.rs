// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the reader of Quotes makes of bytes that are none.

use crate::support::{report, report_after_update, Fixture};
use proptest::prelude::*;
use std::sync::LazyLock;
use tdx_quoting::quote::{Quote, QuoteError};
use tdx_quoting::PlatformConfig;

/// A Quote of each version.
static QUOTES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let enclave = Fixture::new(&PlatformConfig::default()).enclave;
    [report(), report_after_update()].map(|report| enclave.quote(&report).expect("a Quote"))
});

#[test]
fn unknown_numbers_are_named() {
    let error_with = |quote: &[u8], at: usize, value: u16| {
        let mut quote = quote.to_vec();
        quote[at..at + 2].copy_from_slice(&value.to_le_bytes());
        Quote::parse(&quote).expect_err("to be refused")
    };
    let unknown = |what, found| QuoteError::Unknown { what, found };
    let [version_4, version_5] = &*QUOTES;
    assert_eq!(error_with(version_4, 0, 3), unknown("version", 3));
    assert_eq!(
        error_with(version_4, 2, 3),
        unknown("attestation key type", 3)
    );
    assert_eq!(error_with(version_4, 4, 0), unknown("TEE type", 0));
    assert_eq!(error_with(version_5, 48, 4), unknown("body type", 4));
    assert_eq!(
        error_with(version_5, 48, 2),
        unknown("excess of the body", 64)
    );
    assert_eq!(
        error_with(version_4, 632 + 132, 5),
        unknown("certification data type", 5)
    );
}

#[test]
fn missing_bytes_are_counted() {
    let quote = &QUOTES[0][..632 + 4 + 100];
    assert_eq!(
        Quote::parse(&quote[..47]).err(),
        Some(QuoteError::Truncated {
            what: "the header",
            needed: 48,
            left: 47
        })
    );
    let Some(QuoteError::Truncated { what, needed, left }) = Quote::parse(quote).err() else {
        panic!("a Quote without its end was accepted");
    };
    assert_eq!((what, left), ("the signature data", 100));
    assert!(needed > 4000);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
        let _ = Quote::parse(&bytes);
    }

    #[test]
    fn any_change_to_a_quote_is_survived(
        which in 0..2usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = QUOTES[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let length = length.index(bytes.len() + 1);
        if let Ok(quote) = Quote::parse(&bytes[..length]) {
            let parts = quote.signed.len() + quote.certification_data.len() + quote.rest.len();
            prop_assert!(parts < length);
        }
    }
}
