// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A software model of the TDX module, as a TD sees it.

#![no_std]

extern crate alloc;

mod call;
#[cfg(feature = "config")]
mod config;
pub mod control;
mod fault;
mod host;
mod in_process;
mod leaves;
mod machine;
mod metadata;
mod names;
mod outcome;
mod pages;
mod parameters;
mod platform;
mod report;
mod td;
mod trace;
mod vcpu;

#[cfg(feature = "config")]
pub use config::{Config, ConfigError};
pub use fault::{Fault, FaultAnswer, FaultTarget};
pub use host::{HostPolicy, QuoteBehaviour, QuoteJob};
pub use in_process::InProcess;
pub use machine::{Answer, Machine, Unmapped};
pub use outcome::{Cause, EptViolation, Exception, Outcome};
pub use pages::PageState;
pub use parameters::{config_flags, td_ctls, ParameterError, RamRange, RamState, TdParameters};
pub use platform::{Generation, Platform};
pub use td::Td;
pub use trace::{Trace, TracedCall};
pub use vcpu::{CpuidVe, VeInfo};
