// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a verifier needs besides a Quote and the root certificate.

use dcap_qvl::QuoteCollateralV3;
use serde::Deserialize;

/// TCB info, QE identity and CRLs, with their signatures and certificates.
///
/// As a file, it is the JSON of `QuoteCollateralV3` of the crate `dcap-qvl`, which `tdx-quoting platform` writes, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collateral(QuoteCollateralV3);

/// Why a text is no collateral.
#[derive(Debug, thiserror::Error)]
#[error("not collateral as JSON: {0}")]
pub struct CollateralError(#[from] serde_json::Error);

/// When a signed body is to be replaced.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validity {
    next_update: String,
}

impl Collateral {
    /// Reads collateral from JSON. Nothing of it is believed before it is used.
    ///
    /// # Errors
    ///
    /// [`CollateralError`].
    pub fn from_json(text: &[u8]) -> Result<Self, CollateralError> {
        Ok(Self(serde_json::from_slice(text)?))
    }

    /// The collateral as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.0).expect("text and digits are JSON")
    }

    /// Until when it claims to be valid (RFC 3339): the earlier one of TCB info and QE identity.
    pub fn next_update(&self) -> Option<String> {
        let next_update = |body| Some(serde_json::from_str::<Validity>(body).ok()?.next_update);
        // In this form, which Intel always uses, the order of texts is that of times.
        Some(next_update(&self.0.tcb_info)?.min(next_update(&self.0.qe_identity)?))
    }

    pub(crate) const fn inner(&self) -> &QuoteCollateralV3 {
        &self.0
    }
}

impl From<QuoteCollateralV3> for Collateral {
    fn from(collateral: QuoteCollateralV3) -> Self {
        Self(collateral)
    }
}
