// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The platform's collateral over HTTP, where verifiers look for it.
//!
//! Paths, parameters and headers are those of Intel's Provisioning Certification Service (PCS), API version 4, and for
//! the CRL of the root CA those of the caching service (PCCS) as well:
//!
//! | path | answer |
//! | --- | --- |
//! | `/sgx/certification/v4/pckcrl?ca=platform[&encoding=der]` | the CRL of the platform CA |
//! | `/tdx/certification/v4/tcb?fmspc=…` | TCB info |
//! | `/tdx/certification/v4/qe/identity` | QE identity |
//! | `/sgx/certification/v4/rootcacrl` | the CRL of the root CA, as hexadecimal digits (PCCS) |
//! | `/IntelSGXRootCA.der` | the CRL of the root CA, in DER, where the certificates say it is |
//!
//! The collateral is issued anew every day.

mod answer;
mod server;

pub use answer::Answer;
pub use server::{PcsError, PcsServer};
