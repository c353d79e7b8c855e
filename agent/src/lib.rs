// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Attestation of a TD from userspace.
//!
//! In a TD, a [`Td`] gives what proves what the TD is, by the best of the interfaces that the kernel has (the driver's
//! device, configfs-tsm, sysfs):
//!
//! ```no_run
//! use std::time::Duration;
//! use tdx_agent::{ReportData, Td};
//!
//! let td = Td::open()?;
//! // What the relying party sent, and a public key that was made in here.
//! let reportdata = ReportData::bind(b"its nonce", b"my public key");
//! let quote = td.quote(&reportdata, Duration::from_secs(30))?;
//! std::fs::write("quote.bin", quote)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Anywhere, [`verify`](mod@verify) says whether such a Quote is to be believed, claim by claim:
//!
//! ```
//! use tdx_agent::verify::{Collateral, Expectations, TrustedRoot, Verifier};
//! use tdx_agent::ReportData;
//!
//! fn believe(quote: &[u8], collateral: &Collateral) -> bool {
//!     let expected = Expectations {
//!         reportdata: Some(ReportData::bind(b"its nonce", b"my public key")),
//!         ..Expectations::default()
//!     };
//!     let verdict = Verifier::new(TrustedRoot::intel()).verify(quote, collateral, &expected, std::time::SystemTime::now());
//!     for claim in verdict.failed() {
//!         eprintln!("{claim}");
//!     }
//!     verdict.holds()
//! }
//! ```
//!
//! What is in here:
//!
//! - [`Td`]: TDREPORTs, Quotes, registers and the event log of the TD that this program runs in;
//! - [`ReportData`]: a nonce and data bound into a report;
//! - [`runtime_log`]: extending registers so that what was extended is known;
//! - [`replay`]: what logs say was measured, against the registers, and where they do not agree;
//! - [`Evidence`]: a Quote and the logs in one file, as Confidential Containers have it; [`cel`]: logs in TCG's form;
//! - [`Policy`]: what is expected of a TD, as a file; [`corim`]: the same for other verifiers;
//! - [`verify`](mod@verify) (with the feature of this name): Quotes against a root certificate, collateral and
//!   expectations;
//! - `fetch` (with the feature of this name): collateral from a PCS or PCCS.
//!
//! Every error is an [`Error`], which says which [`Step`] failed and, where there is something, what to do about it.

pub mod cel;
mod claim;
pub mod corim;
mod error;
mod evidence;
#[cfg(feature = "fetch")]
pub mod fetch;
mod measured;
mod policy;
pub mod replay;
mod reportdata;
#[cfg(target_os = "linux")]
pub mod runtime_log;
#[cfg(target_os = "linux")]
mod td;
#[cfg(feature = "verify")]
pub mod verify;
mod visible;

pub use claim::{Claim, Outcome};
pub use error::{Access, Error, Step};
pub use evidence::{Evidence, EvidenceError};
pub use measured::Measured;
pub use policy::{ExpectedEvent, Policy, PolicyError, TcbPolicy, TdPolicy, TCB_STATUSES};
pub use reportdata::ReportData;
#[cfg(target_os = "linux")]
pub use td::{Deadline, Interfaces, RawEventLog, Registers, Td};
pub use visible::visible;
