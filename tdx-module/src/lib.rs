// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A software model of the TDX module, as a TD sees it.

#![no_std]

extern crate alloc;

pub mod control;
mod fault;
mod host;
mod machine;
mod outcome;
mod parameters;
mod platform;
mod td;
mod trace;

pub use fault::{Fault, FaultAnswer, FaultTarget};
pub use host::HostPolicy;
pub use machine::{Answer, Machine, Unmapped};
pub use outcome::{Cause, EptViolation, Exception, Outcome};
pub use parameters::{config_flags, td_ctls, ParameterError, RamRange, RamState, TdParameters};
pub use platform::{Generation, Platform};
pub use td::Td;
pub use trace::Trace;
