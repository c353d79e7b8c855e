// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A software model of the TDX module, as a TD sees it.
//!
//! On hardware, TDCALL leads from a TD to the TDX module. Here it leads to [`Td::tdcall`]: a register file in, the same
//! register file out, and in between what the TDX module would have done. That is enough to run software made for TDs
//! where there is no TDX, and to bring about by will what hardware does once in a while. It protects nothing:
//! **there is no isolation**, and the keys derive from a seed in a file.
//!
//! # The parts
//!
//! - [`Td`] is a TD, made of [`TdParameters`] (what its host decided), a [`Platform`] (processor and TDX module) and a
//!   [`HostPolicy`] (the host at run time). With the feature `config`, `Config` reads all three from TOML.
//! - [`TdBuild`] is a TD that its host is still building: its first pages, and MRTD.
//! - [`Machine`] is all that the model needs of the outside: memory, sleep, and, where the front-end wants to, the host
//!   behind TDG.VP.VMCALL. The model has no threads, clocks, files or QEMU.
//! - [`Outcome`] tells a front-end whether the vCPU goes on behind the instruction.
//! - [`Fault`] makes calls fail on demand, [`Trace`] tells every call in a line.
//! - [`InProcess`] is a TD whose memory is this process, so that tests can call `tdx-call`'s leaf functions.
//!
//! ```
//! use std::{cell::RefCell, time::Duration};
//! use tdx_call::{leaf, Gpa, Registers, Status};
//! use tdx_module::{
//!     HostPolicy, Machine, Outcome, Platform, RamRange, RamState, Td, TdParameters, Unmapped,
//! };
//!
//! /// 64 KiB of memory from address 0 on.
//! struct Memory(RefCell<[u8; 0x10000]>);
//!
//! impl Machine for Memory {
//!     fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
//!         let memory = self.0.borrow();
//!         let bytes = memory.get(gpa.0 as usize..).and_then(|rest| rest.get(..buffer.len()));
//!         buffer.copy_from_slice(bytes.ok_or(Unmapped)?);
//!         Ok(())
//!     }
//!
//!     fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
//!         let mut memory = self.0.borrow_mut();
//!         let place = memory.get_mut(gpa.0 as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
//!         place.ok_or(Unmapped)?.copy_from_slice(bytes);
//!         Ok(())
//!     }
//!
//!     fn sleep(&self, time: Duration) {
//!         std::thread::sleep(time);
//!     }
//! }
//!
//! let parameters = TdParameters {
//!     ram: vec![RamRange { range: 0..0x10000, state: RamState::Accepted }],
//!     ..TdParameters::default()
//! };
//! let td = Td::new(parameters, Platform::default(), HostPolicy::default())?;
//! let machine = Memory(RefCell::new([0; 0x10000]));
//!
//! // vCPU 0 asks for a report at 4000h, with the REPORTDATA at 8000h.
//! let mut registers = Registers { rcx: 0x4000, rdx: 0x8000, ..Registers::leaf(leaf::MR_REPORT) };
//! assert_eq!(td.tdcall(0, &mut registers, &machine), Outcome::Completed);
//! assert_eq!(Status(registers.rax), Status::SUCCESS);
//! assert_eq!(machine.0.borrow()[0x4000], 0x81);
//! # Ok::<(), tdx_module::ParameterError>(())
//! ```
//!
//! # What is faithful
//!
//! The leaves, their operands and results, each failure and which of several comes first; the layout and hashes of a
//! TDREPORT, for TDX 1.0 and 1.5; what TDG.MR.REPORT and TDG.MR.RTMR.EXTEND lock, and that they refuse instead of
//! waiting; what passes between a TD and its host in TDG.VP.VMCALL; the state of each page, as far as operands meet it.
//!
//! # What is not
//!
//! - The report's MAC is HMAC-SHA-256 over what precedes it: a real MAC, which TDG.MR.VERIFYREPORT checks, but not the
//!   processor's, which is not public.
//! - Private memory is neither encrypted nor kept from anyone. Page states are enforced where the model sees an access:
//!   at memory operands. What is converted keeps its content until it is accepted.
//! - A TD starts with its memory as [`RamState`] says; for a kernel that is booted directly, all of it is accepted, and
//!   MRTD is given. It is measured for a TD that is built page by page, with [`TdBuild`].
//! - The host's part in the secure EPT is played at once: a pending page is always there, split or whole, when it is
//!   wanted.
//! - These leaves of TDX 1.5 are not there, and are refused as unknown: TDG.SYS.RDALL, TDG.VP.RD, TDG.VP.WR,
//!   TDG.SERVTD.RD, TDG.SERVTD.WR, TDG.VP.ENTER, TDG.VP.INVEPT, TDG.VP.INVVPID. There are no nested guests.
//! - Of the metadata fields that a TD may read, TD_UUID, TSC_FREQUENCY, PRE_IMPORT_UUID, SERVTD_BINDINGS_TABLE and, of the
//!   TDX module, those of migration and GUEST_L2_GPA_ATTR_MASK are not there; of those that it may not read, a few are.
//!   What is not there is unknown ([`METADATA_FIELD_ID_INCORRECT`]), and left out of lists.
//! - What an access to a locked TD_CTLS is told is a guess: [`METADATA_FIELD_VALUE_NOT_VALID`].
//!
//! Sources: *Intel TDX Module ABI Reference Specification* 1.5; *Guest-Hypervisor Communication Interface (GHCI)*; the
//! source of the TDX module 1.5 that Intel publishes, for the order of checks.
//!
//! [`METADATA_FIELD_ID_INCORRECT`]: tdx_call::Status::METADATA_FIELD_ID_INCORRECT
//! [`METADATA_FIELD_VALUE_NOT_VALID`]: tdx_call::Status::METADATA_FIELD_VALUE_NOT_VALID

#![no_std]

extern crate alloc;

mod build;
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

pub use build::{BuildError, TdBuild};
#[cfg(feature = "config")]
pub use config::{Config, ConfigError};
pub use fault::{Fault, FaultAnswer, FaultTarget};
pub use host::{
    Execution, HostInstruction, HostPolicy, InstructionResult, QuoteBehaviour, QuoteJob,
};
pub use in_process::InProcess;
pub use machine::{Answer, Machine, Unmapped};
pub use outcome::{Cause, EptViolation, Exception, Outcome};
pub use pages::PageState;
pub use parameters::{config_flags, td_ctls, ParameterError, RamRange, RamState, TdParameters};
pub use platform::{Generation, Platform};
pub use td::Td;
pub use trace::{Trace, TracedCall};
pub use vcpu::{CpuidVe, VeInfo};
