// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! How a trust domain (TD) talks to the TDX module.
//!
//! A TD asks the TDX module for a service with the TDCALL instruction: a leaf number in RAX, operands in other
//! registers, a completion status back in RAX. This crate has, from the bottom up:
//!
//! - [`Registers`]: the register file that goes in and comes out;
//! - [`Transport`]: the one seam, something that takes a register file to a TDX module and back. [`Instruction`] is the
//!   CPU's TDCALL, and the only assembly of the project; the software model of the TDX module is another;
//! - [`Status`] and [`Error`]: what RAX says afterwards;
//! - [`Operand`] and [`OperandMut`]: memory that a leaf may read or write, with its guest physical address;
//! - [`SharedPages`]: memory that the host may read or write;
//! - one function per leaf, named as the leaf is: TDG.MR.REPORT is [`mr_report`].
//!
//! A leaf function that is safe to call cannot be handed a misaligned buffer, an RTMR that does not exist or an
//! address that is not the operand's own, because no such operand can be made.
//!
//! Source of the numbers: *Intel TDX Module Application Binary Interface (ABI) Reference Specification*, edition
//! 1.5, chapter "Guest-side (TDCALL) interface functions", and for TDG.VP.VMCALL the *Guest-Hypervisor Communication
//! Interface (GHCI)*.
//!
//! ```
//! use tdx_call::{mr_report, Error, Operand, OperandMut, ReportBuffer, ReportDataBuffer, Transport};
//!
//! /// Asks for a TDREPORT that carries `reportdata`. Kernels and firmware differ in how they know a GPA.
//! fn report(
//!     tdx: &impl Transport,
//!     reportdata: Operand<'_, ReportDataBuffer>,
//!     mut report: OperandMut<'_, ReportBuffer>,
//! ) -> Result<(), Error> {
//!     mr_report(tdx, &mut report, &reportdata)
//! }
//! ```

// Kbuild injects `no_std` itself.
#![cfg_attr(not(CONFIG_RUST), no_std)]

mod get_quote;
mod info;
mod instruction;
pub mod leaf;
mod measurement;
mod memory;
mod metadata;
mod operand;
mod registers;
mod status;
mod transport;
mod vmcall;

pub use get_quote::{get_quote, SharedPages};
pub use info::{vp_info, VpInfo};
pub use instruction::Instruction;
pub use measurement::{mr_report, mr_rtmr_extend, mr_verifyreport};
pub use memory::{mem_page_accept, Acceptance, GuestPage, PageSize};
pub use metadata::{vm_rd, vm_wr, FieldId};
pub use operand::{
    ExtendBuffer, Gpa, Operand, OperandMut, ReportBuffer, ReportDataBuffer, ReportMacBuffer,
    RtmrIndex,
};
pub use registers::Registers;
pub use status::{retry_while_busy, Error, OperandId, Status};
pub use transport::Transport;
pub use vmcall::{vp_vmcall, Vmcall, VmcallStatus};
