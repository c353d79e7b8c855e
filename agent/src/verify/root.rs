// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The root certificate that is trusted.

use dcap_qvl::verify::QuoteVerifier;
use sha2::{Digest as _, Sha256};
use std::fmt;
use tdx_uapi::Hex;

/// A root certificate.
#[derive(Clone, Debug)]
pub struct TrustedRoot(Root);

#[derive(Clone, Debug)]
enum Root {
    Intel,
    Other(Vec<u8>),
}

/// The SHA-256 of the "Intel SGX Root CA" as `dcap-qvl` has it, and as
/// <https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer> is.
const INTEL: [u8; 32] = [
    0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49, 0xe9, 0x5b, 0x80, 0x7a, 0x35,
    0x0e, 0x74, 0x24, 0x96, 0x43, 0x99, 0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3,
];

/// Why bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate in DER or PEM: {0}")]
pub struct RootError(String);

impl TrustedRoot {
    /// Intel's, below which all platforms are that Intel vouches for.
    pub const fn intel() -> Self {
        Self(Root::Intel)
    }

    /// Another one, as DER or as PEM: a test platform's.
    ///
    /// # Errors
    ///
    /// [`RootError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RootError> {
        const SEQUENCE: u8 = 0x30;

        if bytes.first() == Some(&SEQUENCE) {
            return Ok(Self(Root::Other(bytes.to_owned())));
        }
        let certificates = pem::parse_many(bytes).map_err(|error| RootError(error.to_string()))?;
        match <[_; 1]>::try_from(certificates) {
            Ok([one]) if one.tag() == "CERTIFICATE" => Ok(Self(Root::Other(one.into_contents()))),
            Ok([one]) => Err(RootError(format!("it is a {}", one.tag()))),
            Err(several) => Err(RootError(format!(
                "there are {} of them, expected one",
                several.len()
            ))),
        }
    }

    pub(super) fn verifier(&self) -> QuoteVerifier {
        match &self.0 {
            Root::Intel => QuoteVerifier::new_prod(),
            Root::Other(der) => QuoteVerifier::new(der.clone()),
        }
    }

    /// Whether this is that certificate.
    pub(super) fn is(&self, der: &[u8]) -> bool {
        match &self.0 {
            Root::Intel => Sha256::digest(der)[..] == INTEL,
            Root::Other(own) => own == der,
        }
    }
}

impl fmt::Display for TrustedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Root::Intel => f.write_str("Intel's root"),
            Root::Other(der) => write!(f, "the root with SHA-256 {}", Hex(&Sha256::digest(der))),
        }
    }
}
