// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Measured boot of a TD, for firmware that has no operating system and no heap.
//!
//! - [`HashEngine`]: where SHA-384 comes from, by default the crate `sha2`;
//! - [`MrIndex`]: the registers as the event log numbers them, and the map from PCRs;
//! - [`Rtmrs`]: the four runtime registers in software.
//!
//! Nothing here allocates, and parsers do not panic, whatever they are given.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `sha2` | `Sha2`, a [`HashEngine`] in software |
//! | `writer` | measuring: RTMR extension, the log's writer |
//! | `reader` | the log's reader, replay, typed event data |
//! | `hob` | the TD HOB's parser and builder |
//! | `tdvf` | TDVF metadata, and the MRTD of an image |
//! | `pe` | the Authenticode hash of a PE image |
//! | `predict` | `expect`: the values that RTMRs are to have after a boot, and where a log differs |
//!
//! All are on by default; firmware turns `default-features` off and names what it uses.
//!
//! The values that the runtime registers must have, if a log is true:
//!
//! ```
//! # #[cfg(all(feature = "sha2", feature = "reader"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tdx_call::RtmrIndex;
//! use tdx_firmware::event_log::EventLog;
//! use tdx_firmware::{HashEngine, Rtmrs, Sha2};
//!
//! fn expected(log: &[u8]) -> Result<Rtmrs, Box<dyn std::error::Error>> {
//!     Ok(*EventLog::parse(log)?.replay(Sha2)?.rtmrs())
//! }
//! # use tdx_firmware::event_log::LogWriter;
//! # let mut log = [0; 65];
//! # LogWriter::new(&mut log)?;
//!
//! // A log without events leads to registers of zeros, and each extension hashes the register with the digest.
//! let mut registers = expected(&log)?;
//! registers.extend(&Sha2, RtmrIndex::Rtmr2, &Sha2.digest(&[b"what was measured"]));
//! assert_ne!(registers, expected(&log)?);
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "sha2", feature = "reader")))]
//! # fn main() {}
//! ```

#![no_std]
#![deny(unsafe_code)]

#[cfg(any(feature = "reader", feature = "writer"))]
pub mod ccel;
#[cfg(any(feature = "reader", feature = "writer"))]
#[cfg_attr(not(feature = "reader"), allow(dead_code))]
mod cursor;
#[cfg(feature = "reader")]
pub mod event_data;
#[cfg(any(feature = "reader", feature = "writer"))]
pub mod event_log;
mod event_type;
#[cfg(feature = "predict")]
pub mod expect;
mod guid;
mod hash;
#[cfg(feature = "hob")]
pub mod hob;
#[cfg(feature = "writer")]
pub mod measurement;
mod mr;
#[cfg(feature = "tdvf")]
pub mod mrtd;
#[cfg(feature = "pe")]
pub mod pe;
#[cfg(feature = "writer")]
pub mod protocol;
mod rtmrs;
#[cfg(feature = "tdvf")]
pub mod tdvf;

pub use event_type::EventType;
pub use guid::Guid;
pub use hash::{HashEngine, Hasher};
#[cfg(feature = "sha2")]
pub use hash::{Sha2, Sha2Hasher};
#[cfg(feature = "writer")]
pub use measurement::Measurement;
pub use mr::MrIndex;
pub use rtmrs::Rtmrs;

/// The code of the page for firmware builders is compiled as documentation tests.
#[cfg(all(
    doctest,
    feature = "pe",
    feature = "reader",
    feature = "writer",
    feature = "sha2"
))]
#[doc = include_str!("../../docs/firmware.md")]
pub struct FirmwarePage;
