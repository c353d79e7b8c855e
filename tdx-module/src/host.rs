// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The host behind TDG.VP.VMCALL, as far as it needs no machine.
//!
//! Source: GHCI, "TDG.VP.VMCALL leaves". Checks are those of Linux's KVM, which is stricter than the GHCI.

mod get_quote;
mod instruction;
mod map_gpa;

pub use get_quote::{QuoteBehaviour, QuoteJob};
pub use instruction::{Execution, HostInstruction, InstructionResult};

use crate::call::{Call, Stop};
use crate::Machine;
use core::time::Duration;
use tdx_call::{Registers, Vmcall, VmcallStatus};

/// How the model's default host behaves.
///
/// It answers GetTdVmCallInfo, MapGPA, GetQuote (with [`Machine::make_quote`]) and HLT, and takes note of SetupEventNotifyInterrupt, which no interrupt ever
/// follows. Everything else is
/// [`SUBFUNC_UNSUPPORTED`](VmcallStatus::SUBFUNC_UNSUPPORTED) until [`Machine::vmcall`] answers it; a front-end wants
/// to look at ReportFatalError there, because the TD does not go on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// How long a vCPU sleeps at HLT. There are no interrupts here that could wake it, so it naps and wakes by itself.
    pub hlt_nap: Duration,
    /// After how many pages MapGPA stops and has the TD resume, as real hosts do with large ranges; never if `None`.
    pub map_gpa_limit: Option<u64>,
    /// Whether pending memory is mapped in 2 MiB pages where it can be. Without, TDG.MEM.PAGE.ACCEPT of 2 MiB always
    /// meets [`PAGE_SIZE_MISMATCH`](tdx_call::Status::PAGE_SIZE_MISMATCH).
    pub large_pages: bool,
    /// How long the quoting service takes, at first.
    pub quote_time: Duration,
    /// How GetQuote is answered, at first.
    pub quote_behaviour: QuoteBehaviour,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            hlt_nap: Duration::from_micros(500),
            map_gpa_limit: None,
            large_pages: true,
            quote_time: Duration::ZERO,
            quote_behaviour: QuoteBehaviour::Honest,
        }
    }
}

impl<M: Machine + ?Sized> Call<'_, M> {
    /// Answers a call as the default host.
    pub(crate) fn host(&self, call: &mut Registers) -> Result<(), Stop> {
        let status = match (call.r10, call.r11) {
            (0, Vmcall::HLT) => {
                self.machine.sleep(self.td.host.hlt_nap);
                VmcallStatus::SUCCESS
            }
            (0, Vmcall::GET_TD_VM_CALL_INFO) => get_td_vm_call_info(call),
            (0, Vmcall::MAP_GPA) => self.td.map_gpa(call),
            (0, Vmcall::GET_QUOTE) => self.get_quote(call),
            (0, Vmcall::SETUP_EVENT_NOTIFY_INTERRUPT) => match call.r12 {
                32..=255 => VmcallStatus::SUCCESS,
                _ => VmcallStatus::INVALID_OPERAND,
            },
            (0, function) if instruction::is_instruction(function) => self.instruction(call)?,
            _ => VmcallStatus::SUBFUNC_UNSUPPORTED,
        };
        call.r10 = status.0;
        Ok(())
    }
}

/// What GetTdVmCallInfo says of SetupEventNotifyInterrupt. Source: KVM's `TDVMCALLINFO_SETUP_EVENT_NOTIFY_INTERRUPT`.
const HAS_SETUP_EVENT_NOTIFY_INTERRUPT: u64 = 1 << 1;

/// GetTdVmCallInfo: with R12 = 0 whether the functions that every host has are there, with R12 = 1 which others are.
fn get_td_vm_call_info(call: &mut Registers) -> VmcallStatus {
    call.r11 = match call.r12 {
        // All of them.
        0 => 0,
        1 => HAS_SETUP_EVENT_NOTIFY_INTERRUPT,
        _ => return VmcallStatus::INVALID_OPERAND,
    };
    call.r12 = 0;
    call.r13 = 0;
    call.r14 = 0;
    VmcallStatus::SUCCESS
}
