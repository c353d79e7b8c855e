// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.VMCALL: calling the host.

use crate::call::{invalid, Call, Stop};
use crate::{config_flags, Answer, HostInstruction, InstructionResult, Machine};
use tdx_call::{OperandId, Registers, Status, VmcallStatus};

impl<M: Machine + ?Sized> Call<'_, M> {
    /// TDG.VP.VMCALL. RCX says which registers the TD exposes; the host sees those and no others, and changes those and
    /// no others.
    pub(super) fn vp_vmcall(&self, registers: &mut Registers) -> Result<(), Stop> {
        let mask = registers.rcx;
        // RAX, RCX and RSP are never exposed.
        let mut forbidden = (1 << 0) | (1 << 1) | (1 << 4);
        if self.td.parameters.config_flags & config_flags::NO_RBP_MOD != 0 {
            forbidden |= 1 << 5;
        }
        if mask & forbidden != 0 || mask >> 32 != 0 {
            return Err(invalid(OperandId::RCX));
        }
        let mut call = Registers::default();
        copy_exposed(mask, registers, &mut call);
        if self.machine.vmcall(self.vcpu, &mut call) == Answer::Default {
            self.host(&mut call)?;
        }
        copy_exposed(mask, &call, registers);
        Ok(())
    }
}

/// Completes a call whose instruction was executed after the TDCALL.
pub(crate) fn complete(
    instruction: HostInstruction,
    result: InstructionResult,
    registers: &mut Registers,
) {
    let mask = registers.rcx;
    let mut call = Registers::default();
    copy_exposed(mask, registers, &mut call);
    instruction.answer(result, &mut call);
    call.r10 = VmcallStatus::SUCCESS.0;
    copy_exposed(mask, &call, registers);
    registers.rax = Status::SUCCESS.0;
}

/// Copies the registers that a mask exposes. RBP (bit 5) is not part of [`Registers`] and so never changes.
fn copy_exposed(mask: u64, from: &Registers, to: &mut Registers) {
    let registers = [
        (2, from.rdx, &mut to.rdx),
        (3, from.rbx, &mut to.rbx),
        (6, from.rsi, &mut to.rsi),
        (7, from.rdi, &mut to.rdi),
        (8, from.r8, &mut to.r8),
        (9, from.r9, &mut to.r9),
        (10, from.r10, &mut to.r10),
        (11, from.r11, &mut to.r11),
        (12, from.r12, &mut to.r12),
        (13, from.r13, &mut to.r13),
        (14, from.r14, &mut to.r14),
        (15, from.r15, &mut to.r15),
    ];
    for (bit, from, to) in registers {
        if (mask >> bit) & 1 != 0 {
            *to = from;
        }
    }
}
