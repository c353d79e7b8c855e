// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The vocabulary of a TDX guest, shared by kernel, firmware and userspace.
//!
//! - [`ioctl`]: the numbers and requests of `/dev/tdx-guest`; `include/uapi/linux/tdx-guest.h` is the same in C;
//! - [`TdReport`]: the TDREPORT that TDG.MR.REPORT makes, with a parser that borrows from its input;
//! - [`QuoteStatus`] and [`QuoteRequest`]: what a TD sends to the host for a Quote, and whether the answer is one to it;
//! - [`qgs`]: the same request to a quoting service on a socket;
//! - [`quote::Quote`]: what a quoting enclave makes of a TDREPORT, with a reader that borrows from its input;
//! - [`Attributes`] and [`Xfam`]: what a TD was allowed to do, as flags with names;
//! - [`Digest`]: a SHA-384 value, as all measurements of a TD are.
//!
//! There is no I/O, no allocation and no `unsafe` here, and parsers do not panic, whatever they are given.
//!
//! ```
//! use tdx_uapi::{ParseError, TdReport};
//!
//! let mut bytes = [0; 1024];
//! assert_eq!(TdReport::parse(&bytes), Err(ParseError::Type { found: 0 }));
//!
//! bytes[0] = 0x81;
//! let report = TdReport::parse(&bytes)?;
//! assert_eq!(report.td_info.rtmr[3].to_string(), "0".repeat(96));
//! # Ok::<(), ParseError>(())
//! ```

// Kbuild injects `no_std` itself.
#![cfg_attr(not(CONFIG_RUST), no_std)]
#![deny(unsafe_code)]

mod digest;
mod flags;
mod hex;
pub mod ioctl;
pub mod qgs;
pub mod quote;
mod report;

pub use digest::{Digest, DIGEST_LEN};
pub use flags::{Attributes, Xfam};
pub use hex::Hex;
pub use quote::{quote_reportdata, AnswerError, QuoteHdrError, QuoteRequest, QuoteStatus};
pub use report::{
    HashMismatch, ParseError, ReportMac, ReportType, TdInfo, TdReport, TeeTcbInfo, REPORTDATA_LEN,
    REPORTMACSTRUCT_LEN, TDINFO_LEN, TDREPORT_LEN, TEE_TCB_INFO_LEN,
};
