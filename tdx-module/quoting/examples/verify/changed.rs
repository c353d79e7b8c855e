// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Quotes in which a byte was changed.

use std::ops::Range;
use tdx_quoting::quote::Quote;

/// What each byte is changed by: one bit, and all of them.
const MASKS: [u8; 2] = [0x01, 0xff];

/// What became of the changed Quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    /// How many there were.
    pub(crate) changed: usize,
    /// How many were refused. The others were accepted with the verdict on the unchanged Quote.
    pub(crate) refused: usize,
    /// How many bytes there are that must be as they are.
    pub(crate) material: usize,
}

/// Changes each byte of `quote`, one at a time, and has each of these Quotes verified.
///
/// # Errors
///
/// The first change that matters and was accepted, or an acceptance with another verdict than `original`, that on the
/// unchanged Quote.
pub(crate) fn every_byte<T: PartialEq, E>(
    quote: &[u8],
    original: &T,
    verify: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Tally, String> {
    let immaterial = immaterial(quote)?;
    let is_immaterial = |at| immaterial.iter().any(|range| range.contains(&at));
    let mut changed = quote.to_vec();
    let mut refused = 0;
    for at in 0..quote.len() {
        for mask in MASKS {
            changed[at] = quote[at] ^ mask;
            match verify(&changed) {
                Err(_) => refused += 1,
                Ok(_) if !is_immaterial(at) => {
                    return Err(format!("byte {at} changed by {mask:#04x} was accepted"));
                }
                Ok(verdict) if verdict != *original => {
                    return Err(format!(
                        "byte {at} changed by {mask:#04x} was accepted, with another verdict"
                    ));
                }
                Ok(_) => {}
            }
        }
        changed[at] = quote[at];
    }
    Ok(Tally {
        changed: MASKS.len() * quote.len(),
        refused,
        material: (0..quote.len()).filter(|at| !is_immaterial(*at)).count(),
    })
}

/// The bytes that a verifier may accept changed, because nothing that it concludes depends on them.
///
/// Everything else is covered by one of the signatures, or tells where these are.
fn immaterial(bytes: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let quote = Quote::parse(bytes).map_err(|error| error.to_string())?;
    let signature_data = quote.signed.len();
    let chain_end = bytes.len() - quote.rest.len();
    let chain = chain_end - quote.certification_data.len();
    let text = &bytes[chain..chain_end];
    let begin = b"-----BEGIN CERTIFICATE-----";
    let root = (0..text.len())
        .rfind(|at| text[*at..].starts_with(begin))
        .ok_or("there is no certificate")?;

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
    Ok(ranges)
}
