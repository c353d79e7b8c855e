// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Logs in TCG's canonical form, as JSON.
//!
//! Source: *TCG Canonical Event Log Format*, "CEL-JSON", with the content type `pcclient_std`. That form numbers PCRs; as the
//! TDX registers are none, `ccmr` has the register as the CC event log numbers it: 1 to 4 for RTMR0 to RTMR3.
//!
//! ```
//! use tdx_agent::cel;
//!
//! let text = br#"[{
//!     "recnum": 0,
//!     "ccmr": 4,
//!     "digests": [],
//!     "content_type": "pcclient_std",
//!     "content": { "event_type": 3, "event_data": "6869" }
//! }]"#;
//! let records = cel::parse(text)?;
//! let logs = cel::to_logs(&records)?;
//! assert_eq!(cel::records(logs.boot.as_deref())?, records);
//! # Ok::<(), cel::CelError>(())
//! ```

use serde::{Deserialize, Serialize};
use tdx_firmware::event_log::algorithm::SHA384;
use tdx_firmware::event_log::{EventError, EventLog, HeaderError, LogWriter};
use tdx_firmware::{EventType, MrIndex};
use tdx_uapi::DIGEST_LEN;

/// The longest text that is read, in bytes.
const MAX_LEN: usize = 32 << 20;

/// The length of the header of a log.
const HEADER_LEN: usize = 65;

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
    /// It is no list of records.
    #[error("no list of records of a canonical event log (CEL-JSON): {0}")]
    Json(String),
    /// It is longer than any log.
    #[error("a canonical event log of {0} bytes, expected at most {MAX_LEN}")]
    TooLong(usize),
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

/// Logs in the form of the CC event log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CcLogs {
    /// That of the boot.
    pub boot: Option<Vec<u8>>,
    /// That of programs, if it is one of this library's, which say so.
    pub runtime: Option<Vec<u8>>,
}

/// Whether these bytes are to be read as CEL-JSON: a list is what they begin with.
pub fn is_cel(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"[")
}

/// Reads records. Their numbers must follow each other, so that none is missing between the first and the last.
///
/// # Errors
///
/// [`CelError::Json`], [`CelError::TooLong`] and [`CelError::Record`].
pub fn parse(text: &[u8]) -> Result<Vec<Record>, CelError> {
    if text.len() > MAX_LEN {
        return Err(CelError::TooLong(text.len()));
    }
    let records: Vec<Record> =
        serde_json::from_slice(text).map_err(|error| CelError::Json(error.to_string()))?;
    for pair in records.windows(2) {
        if pair[0].recnum.checked_add(1) != Some(pair[1].recnum) {
            return Err(CelError::Record {
                number: pair[1].recnum,
                what: "does not follow the number of the record before it",
            });
        }
    }
    Ok(records)
}

/// The logs that records are of: that of programs begins where it says so.
///
/// # Errors
///
/// [`CelError::Record`] and [`CelError::Event`].
pub fn to_logs(records: &[Record]) -> Result<CcLogs, CelError> {
    let log = to_log(records)?;
    let runtime = runtime_begin(&log)?;
    Ok(match runtime {
        None => CcLogs {
            boot: Some(log),
            runtime: None,
        },
        Some(begin) => CcLogs {
            boot: (begin > HEADER_LEN).then(|| log[..begin].to_vec()),
            runtime: Some([&log[..HEADER_LEN], &log[begin..]].concat()),
        },
    })
}

/// Where in a log that of programs begins.
fn runtime_begin(log: &[u8]) -> Result<Option<usize>, CelError> {
    for event in EventLog::parse(log).map_err(CelError::Header)?.events() {
        let event = event.map_err(CelError::Event)?;
        #[cfg(target_os = "linux")]
        if let Some(crate::runtime_log::Note::Boot(_)) = crate::runtime_log::Note::of(&event) {
            return Ok(Some(event.offset));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = event;
    }
    Ok(None)
}

/// A log in the form of the CC event log.
///
/// # Errors
///
/// [`CelError::Record`].
pub fn to_log(records: &[Record]) -> Result<Vec<u8>, CelError> {
    let mut log = vec![0; HEADER_LEN];
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
        if sha384.is_empty() && !record.digests.is_empty() {
            return Err(wrong(
                "has no SHA-384 digest, which TDX registers are extended with",
            ));
        }
        if sha384.len() > 1 {
            return Err(wrong("has more than one SHA-384 digest"));
        }
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
