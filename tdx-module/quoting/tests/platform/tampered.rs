// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Quotes in which a byte was changed.

use crate::support::{report, report_after_update, Fixture};
use std::ops::Range;
use tdx_quoting::quote::Quote;
use tdx_quoting::PlatformConfig;
use tdx_uapi::TdReport;

/// The bytes that a verifier may accept changed, because nothing that it concludes depends on them.
///
/// Everything else is covered by one of the signatures, or tells where these are.
fn immaterial(bytes: &[u8]) -> Vec<Range<usize>> {
    let quote = Quote::parse(bytes).expect("a Quote");
    let signature_data = quote.signed.len();
    let chain_end = bytes.len() - quote.rest.len();
    let chain = chain_end - quote.certification_data.len();
    let text = &bytes[chain..chain_end];
    let begin = b"-----BEGIN CERTIFICATE-----";
    let root = (0..text.len())
        .rfind(|at| text[*at..].starts_with(begin))
        .expect("a certificate");

    let mut ranges = vec![
        // How much signature data there is: more than is used does no harm, where something follows.
        signature_data..signature_data + 4,
        // The type of the first certification data: `dcap-qvl` knows no other than the report of the enclave.
        signature_data + 132..signature_data + 134,
        // The length of the certificates as text: what it may cut off is the root's.
        chain - 4..chain,
        // The root certificate: the verifier has its own. The NUL after it, and the zeros after the Quote.
        chain + root..bytes.len(),
    ];
    // Line feeds in PEM: any white space does, and between two certificates anything.
    ranges.extend(
        (chain..chain_end)
            .filter(|at| bytes[*at] == b'\n')
            .map(|at| at..at + 1),
    );
    ranges
}

fn every_other_changed_byte_is_refused(report: &TdReport) {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(report).expect("a Quote");
    let original = fixture.verify(&quote).expect("to be accepted");
    let immaterial = immaterial(&quote);
    let mut changed = quote.clone();
    let mut refused = 0;
    for at in 0..quote.len() {
        for mask in [0x01, 0xff] {
            changed[at] ^= mask;
            match fixture.verify(&changed) {
                Err(_) => refused += 1,
                Ok(verified) => {
                    assert!(
                        immaterial.iter().any(|range| range.contains(&at)),
                        "byte {at} changed by {mask:#04x} was accepted"
                    );
                    assert_eq!(verified, original, "byte {at} changed by {mask:#04x}");
                }
            }
            changed[at] ^= mask;
        }
    }
    let material = quote.len() - immaterial.iter().map(Range::len).sum::<usize>();
    assert!(refused >= 2 * material, "{refused} refusals");
    assert!(material > 3900, "{material} bytes of {}", quote.len());
}

#[test]
fn every_changed_byte_of_a_version_4_quote_is_refused_or_immaterial() {
    every_other_changed_byte_is_refused(&report());
}

#[test]
fn every_changed_byte_of_a_version_5_quote_is_refused_or_immaterial() {
    every_other_changed_byte_is_refused(&report_after_update());
}
