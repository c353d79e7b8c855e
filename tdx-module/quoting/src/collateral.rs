// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Collateral: what a verifier needs besides a Quote and the root certificate.

use serde::Serialize;

/// What a verifier needs besides a Quote and the root certificate.
///
/// It is written as JSON in the form of `QuoteCollateralV3` of the crate `dcap-qvl`: certificates as PEM text, CRLs and
/// signatures as hexadecimal digits, and the two signed bodies as text, byte for byte what was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collateral {
    /// The platform CA's certificate and the root's: PEM.
    pub pck_crl_issuer_chain: String,
    /// The CRL of the root CA: DER.
    #[serde(with = "hex::serde")]
    pub root_ca_crl: Vec<u8>,
    /// The CRL of the platform CA: DER.
    #[serde(with = "hex::serde")]
    pub pck_crl: Vec<u8>,
    /// The certificate of the key that signs TCB info and the root's: PEM.
    pub tcb_info_issuer_chain: String,
    /// TCB info: JSON.
    pub tcb_info: String,
    /// The signature of [`Collateral::tcb_info`]: r and s, 32 bytes each, big endian.
    #[serde(with = "hex::serde")]
    pub tcb_info_signature: [u8; 64],
    /// The certificate of the key that signs the QE identity and the root's: PEM.
    pub qe_identity_issuer_chain: String,
    /// QE identity: JSON.
    pub qe_identity: String,
    /// The signature of [`Collateral::qe_identity`]: r and s, 32 bytes each, big endian.
    #[serde(with = "hex::serde")]
    pub qe_identity_signature: [u8; 64],
}

impl Collateral {
    /// The collateral as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text and digits are JSON")
    }

    /// TCB info and its signature as Intel's PCS answers with them.
    pub fn tcb_info_response(&self) -> String {
        signed("tcbInfo", &self.tcb_info, &self.tcb_info_signature)
    }

    /// QE identity and its signature as Intel's PCS answers with them.
    pub fn qe_identity_response(&self) -> String {
        signed(
            "enclaveIdentity",
            &self.qe_identity,
            &self.qe_identity_signature,
        )
    }
}

/// JSON around a body that must stay as it is, byte for byte, because a signature is over it.
fn signed(name: &str, body: &str, signature: &[u8; 64]) -> String {
    format!(
        "{{\"{name}\":{body},\"signature\":\"{}\"}}",
        hex::encode(signature)
    )
}
