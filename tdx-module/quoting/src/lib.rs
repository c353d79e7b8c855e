// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The quoting service of the software TDX module.
//!
//! A TDREPORT can be checked on its own platform only. There, a quoting enclave turns it into a Quote, which anyone can
//! verify who trusts the root certificate of the platform's maker. This crate is that for the model's platform:
//!
//! - [`Platform`]: a platform of its own, with root, intermediate and PCK certificates, all derived from a seed. Its
//!   [`Collateral`] is what verifiers ask for: TCB info, QE identity and CRLs;
//! - [`QuotingEnclave`]: TDREPORTs into Quotes of version 4 and 5, by the rules of Intel's enclave;
//! - [`QuotingService`]: the enclave with the time that it takes. It answers the host's side of GetQuote, and [`qgs`]
//!   gives it to clients of Intel's quote generation service, over a Unix socket and AF_VSOCK;
//! - `model` (with the feature of this name): all of this for the platform of the crate `tdx-module`;
//! - `pcs` (with the feature of this name): the collateral over HTTP, where verifiers look for it;
//! - [`quote`]: the layout of a Quote, and a reader, which are those of the crate `tdx-uapi`.
//!
//! None of this is worth more than the secrecy of its seed, which is none: the root certificate is for tests, and says so
//! in its name.
//!
//! ```
//! use tdx_quoting::{MacError, Platform, PlatformConfig, QuotingEnclave};
//! use tdx_uapi::TdReport;
//!
//! /// A Quote, and what a verifier needs to check it today.
//! fn quote(report: &TdReport) -> Result<(Vec<u8>, Vec<u8>, String), Box<dyn std::error::Error>> {
//!     let platform = Platform::from_seed(b"my platform", &PlatformConfig::default())?;
//!     let enclave = QuotingEnclave::new(&platform, |_report| {
//!         // Here TDG.MR.VERIFYREPORT is asked whether this platform made the report.
//!         Err(MacError::Mac)
//!     });
//!     let quote = enclave.quote(report)?;
//!     let collateral = platform.collateral("2026-11-20T00:00:00Z".parse()?)?;
//!     Ok((quote, platform.root_der().to_vec(), collateral.to_json()))
//! }
//! ```

#![deny(unsafe_code)]

mod certificate;
mod collateral;
mod config;
mod crl;
mod enclave;
mod get_quote;
#[cfg(feature = "model")]
pub mod model;
#[cfg(feature = "pcs")]
pub mod pcs;
mod platform;
mod qe_identity;
pub mod qgs;
mod report_rules;
mod seed;
mod service;
mod sgx_extension;
mod tcb_info;
mod timestamp;

/// The layout of a Quote, and a reader.
pub use tdx_uapi::quote;
/// The status of a request for a Quote, as the shared buffer has it.
pub use tdx_uapi::QuoteStatus;

pub use collateral::Collateral;
pub use config::{Outdated, PlatformConfig, Revoked};
pub use enclave::{MacCheck, MacError, PlatformInfo, QuotingEnclave};
pub use get_quote::{PendingQuote, QuoteReply};
pub use platform::{Platform, PlatformError};
pub use report_rules::ReportError;
pub use service::{Clock, QuotingService, SystemClock};
pub use timestamp::{Timestamp, TimestampError};
