// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the model needs of the machine that a TD runs on.

use crate::{Execution, HostInstruction, QuoteJob, Trace};
use core::time::Duration;
use tdx_call::{Gpa, Registers};

/// The machine that a TD runs on: its memory, its time, and the host behind TDG.VP.VMCALL.
///
/// The model has no memory, clock or threads of its own. A front-end implements this for whatever executes the TD's
/// instructions; one value may serve all vCPUs or be made for each call.
///
/// Addresses are guest physical and have no SHARED bit: whether memory is private or shared is the model's to know, and
/// both kinds are the same bytes here.
pub trait Machine {
    /// Fills `buffer` from memory.
    ///
    /// # Errors
    ///
    /// [`Unmapped`] when some of it is not memory.
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped>;

    /// Writes `bytes` to memory.
    ///
    /// # Errors
    ///
    /// [`Unmapped`] when some of it is not memory that can be written.
    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped>;

    /// Lets the calling vCPU alone sleep. Used for a modelled duration and for HLT; no lock is held meanwhile.
    fn sleep(&self, time: Duration);

    /// Whether the vCPU may execute TDCALL: 64-bit mode, privilege level 0. If not, the outcome is #GP(0).
    fn may_tdcall(&self) -> bool {
        true
    }

    /// Answers a TDG.VP.VMCALL as the host.
    ///
    /// `call` has the registers that the TD exposed, the others zero. Of what is left in it, the TD sees the registers
    /// it exposed. With [`Answer::Default`], which is what this returns unless overridden, the model's own host
    /// answers: see [`HostPolicy`](crate::HostPolicy).
    fn vmcall(&self, vcpu: u32, call: &mut Registers) -> Answer {
        let _ = (vcpu, call);
        Answer::Default
    }

    /// Executes an instruction that the TD does not execute itself but has its host execute: port I/O, MSRs, CPUID, and
    /// access to devices. Unless this is overridden, the host knows none of them.
    fn execute(&self, vcpu: u32, instruction: HostInstruction) -> Execution {
        let _ = (vcpu, instruction);
        Execution::Refused
    }

    /// Has the quoting service make a Quote, and returns at once. When the Quote is there and its time has come
    /// ([`Td::quote_time`](crate::Td::quote_time)), somebody calls [`Td::finish_quote`](crate::Td::finish_quote).
    ///
    /// # Errors
    ///
    /// The job, if there is no quoting service, as there is none unless this is overridden.
    fn make_quote(&self, job: QuoteJob) -> Result<(), QuoteJob> {
        Err(job)
    }

    /// Where a line for each TDCALL goes. Nothing is formatted when there is no trace.
    fn trace(&self) -> Option<&dyn Trace> {
        None
    }
}

/// There is no such memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmapped;

/// Who answered a TDG.VP.VMCALL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The machine did; the registers have the answer.
    Given,
    /// The machine leaves it to the model's default host; the registers are as they were.
    Default,
}
