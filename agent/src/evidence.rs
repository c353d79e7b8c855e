// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Everything that a verifier wants to see of a TD, in one file.

use crate::replay::Logs;
use serde::{Deserialize, Serialize};

/// A Quote and the logs that explain its registers.
///
/// As JSON it is what the TDX attester of Confidential Containers' guest components sends, and Trustee takes: an object with
/// `quote` and `cc_eventlog` as Base64. `runtime_log` and `ima` are this project's, which others do not look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The event log of the boot (CCEL).
    #[serde(default, with = "base64_option")]
    pub cc_eventlog: Option<Vec<u8>>,
    /// The Quote.
    #[serde(with = "base64_bytes")]
    pub quote: Vec<u8>,
    /// The log of what programs extended.
    #[serde(
        default,
        with = "base64_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub runtime_log: Option<Vec<u8>>,
    /// The kernel's list of measured files (IMA), as `ascii_runtime_measurements_sha384` has it.
    #[serde(
        default,
        with = "base64_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub ima: Option<Vec<u8>>,
}

/// Why bytes are no evidence.
#[derive(Debug, thiserror::Error)]
#[error("not evidence as JSON: {0}")]
pub struct EvidenceError(#[from] serde_json::Error);

impl Evidence {
    /// Evidence of a Quote alone.
    pub fn new(quote: Vec<u8>) -> Self {
        Self {
            quote,
            ..Self::default()
        }
    }

    /// Reads evidence.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`].
    pub fn from_json(text: &[u8]) -> Result<Self, EvidenceError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// The logs, to be replayed.
    pub fn logs(&self) -> Logs<'_> {
        Logs {
            boot: self.cc_eventlog.as_deref(),
            runtime: self.runtime_log.as_deref(),
            ima: self.ima.as_deref(),
        }
    }

    /// The evidence as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text is JSON")
    }
}

mod base64_bytes {
    use base64::engine::general_purpose::STANDARD;
    use base64::Engine as _;
    use serde::{de::Error as _, Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

mod base64_option {
    use base64::engine::general_purpose::STANDARD;
    use base64::Engine as _;
    use serde::{de::Error as _, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes
            .as_ref()
            .map(|bytes| STANDARD.encode(bytes))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom))
            .transpose()
    }
}
