// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a report is asked to carry.

use sha2::{Digest as _, Sha512};
use std::fmt;
use tdx_uapi::{Hex, REPORTDATA_LEN};

/// REPORTDATA: 64 bytes that a TDREPORT and its Quote carry for whoever asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportData(pub [u8; REPORTDATA_LEN]);

impl ReportData {
    /// What [`ReportData::bind`] hashes first, so that its hashes are no others.
    pub const LABEL: &'static [u8; 16] = b"tdx-reportdata-1";

    /// Binds a nonce, which shows that the report is fresh, and data of the TD, typically a public key.
    ///
    /// ```text
    /// SHA-512( "tdx-reportdata-1" ‖ len(nonce) ‖ nonce ‖ len(user_data) ‖ user_data )
    /// ```
    ///
    /// Lengths are in bytes, as 64-bit little-endian integers; because of them no other nonce and data give the same bytes
    /// to hash. Either may be empty. A verifier that knows both computes the same value:
    ///
    /// ```
    /// use tdx_agent::ReportData;
    ///
    /// let reportdata = ReportData::bind(b"nonce", b"user data");
    /// assert_ne!(reportdata, ReportData::bind(b"nonceuser", b" data"));
    /// ```
    pub fn bind(nonce: &[u8], user_data: &[u8]) -> Self {
        let mut hash = Sha512::new_with_prefix(Self::LABEL);
        for part in [nonce, user_data] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for ReportData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From another implementation: Python's `hashlib.sha512(b"tdx-reportdata-1" + struct.pack("<Q", 5) + b"nonce" +
    /// struct.pack("<Q", 4) + b"data")`.
    #[test]
    fn binding_is_the_documented_hash() {
        assert_eq!(
            ReportData::bind(b"nonce", b"data").to_string(),
            "ac64a4a8875fcc521e8df1275bd942f3ffb69bf963292ae61c1b7b1eb18b1e8913a5a46c31f6122929923f6a010d6f1f\
             59a6ddc56bdb67867a183686d6211ccf"
        );
    }
}
