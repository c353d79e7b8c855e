// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The certificates in a Quote, in the one spelling that is accepted.

use super::{Claim, TrustedRoot};
use pem::{EncodeConfig, LineEnding};
use tdx_uapi::quote::{Quote, PCK_CERTIFICATE_CHAIN};

/// Checks that the certification data is PEM as every platform writes it, and that its last certificate is the root.
///
/// No signature covers the line breaks, nor the copy of the root: whoever carries a Quote could change them, and a reader
/// of PEM would not mind.
pub(super) fn check(quote: &Quote<'_>, root: &TrustedRoot) -> Result<(), Claim> {
    if quote.certification_type != PCK_CERTIFICATE_CHAIN {
        return Err(Claim::fails(
            "certificates",
            format!(
                "the Quote has certification data of type {}, expected the platform's certificates (type {PCK_CERTIFICATE_CHAIN})",
                quote.certification_type
            ),
        ));
    }
    let malformed = |why: &str| {
        Claim::fails(
            "certificates",
            format!("those in the Quote are no PEM: {why}"),
        )
    };
    let text = quote.certification_data;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let certificates = pem::parse_many(text).map_err(|error| malformed(&error.to_string()))?;
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let written: String = certificates
        .iter()
        .map(|one| pem::encode_config(one, config))
        .collect();
    if certificates.iter().any(|one| one.tag() != "CERTIFICATE") || written.as_bytes() != text {
        return Err(malformed("they are not written as they would be again"));
    }
    match certificates.last() {
        Some(last) if root.is(last.contents()) => Ok(()),
        Some(_) => Err(Claim::fails(
            "certificates",
            format!("those in the Quote end with another root certificate than {root}"),
        )),
        None => Err(malformed("there is none")),
    }
}
