// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Logs in TCG's canonical form, as JSON.
//!
//! Source: *TCG Canonical Event Log Format*, "CEL-JSON", with the content type `pcclient_std`. That form numbers PCRs; as the
//! TDX registers are none, `ccmr` has the register as the CC event log numbers it: 1 to 4 for RTMR0 to RTMR3.

use serde::{Deserialize, Serialize};
use tdx_firmware::event_log::algorithm::SHA384;
use tdx_firmware::event_log::{EventError, EventLog, HeaderError, LogWriter};
use tdx_firmware::{EventType, MrIndex};
use tdx_uapi::DIGEST_LEN;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// Its number, from 0.
    pub recnum: u64,
    /// The register, as the CC event log numbers it.
    pub ccmr: u32,
    /// What the register is extended with.
    pub digests: Vec<RecordDigest>,
    /// `pcclient_std`.
    pub content_type: String,
    /// What the event is.
    pub content: Content,
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "camelCase")]
pub struct RecordDigest {
    /// `sha384`.
    pub hash_alg: String,
    /// The digest.
    #[serde(with = "hex::serde")]
    pub digest: Vec<u8>,
}

/// What an event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Content {
    /// Its type, as a number.
    pub event_type: u32,
    /// Its data.
    #[serde(with = "hex::serde")]
    pub event_data: Vec<u8>,
}

/// Why logs cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CelError {
    /// It is no log.
    #[error("no event log: {0}")]
    Header(HeaderError),
    /// An event is broken.
    #[error("{0}")]
    Event(EventError),
    /// A record is none of the kind that is known here.
    #[error("record {number} {what}")]
    Record {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The events of logs, one log after another. Digests of other algorithms than SHA-384 are left out.
///
/// # Errors
///
/// [`CelError::Header`] and [`CelError::Event`].
pub fn records<'a>(logs: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Record>, CelError> {
    let mut records = Vec::new();
    for log in logs {
        for event in EventLog::parse(log).map_err(CelError::Header)?.events() {
            let event = event.map_err(CelError::Event)?;
            let digest = event.digest().map(|digest| RecordDigest {
                hash_alg: "sha384".into(),
                digest: digest.0.to_vec(),
            });
            records.push(Record {
                recnum: records.len() as u64,
                ccmr: event.mr.0,
                digests: digest.into_iter().collect(),
                content_type: "pcclient_std".into(),
                content: Content {
                    event_type: event.event_type.0,
                    event_data: event.data.to_vec(),
                },
            });
        }
    }
    Ok(records)
}

/// A log in the form of the CC event log.
///
/// # Errors
///
/// [`CelError::Record`].
pub fn to_log(records: &[Record]) -> Result<Vec<u8>, CelError> {
    let mut log = vec![0; 65];
    LogWriter::new(&mut log).expect("a header has room in its own length");
    for record in records {
        let wrong = |what| CelError::Record {
            number: record.recnum,
            what,
        };
        if record.content_type != "pcclient_std" {
            return Err(wrong("has another content type than pcclient_std"));
        }
        let sha384: Vec<_> = record
            .digests
            .iter()
            .filter(|one| one.hash_alg == "sha384")
            .collect();
        if sha384.iter().any(|one| one.digest.len() != DIGEST_LEN) {
            return Err(wrong("has a SHA-384 digest that is not 48 bytes long"));
        }
        let size = u32::try_from(record.content.event_data.len())
            .map_err(|_| wrong("has more data than a log can have"))?;
        log.extend(MrIndex(record.ccmr).0.to_le_bytes());
        log.extend(EventType(record.content.event_type).0.to_le_bytes());
        log.extend((sha384.len() as u32).to_le_bytes());
        for digest in sha384 {
            log.extend(SHA384.to_le_bytes());
            log.extend(&digest.digest);
        }
        log.extend(size.to_le_bytes());
        log.extend(&record.content.event_data);
    }
    Ok(log)
}
