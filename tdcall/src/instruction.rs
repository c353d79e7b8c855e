// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The CPU's own TDCALL.

use crate::{Registers, Transport};

/// The TDCALL instruction.
///
/// A value of this type is the proof that executing TDCALL is meaningful here; see [`Instruction::assume_td`].
#[derive(Clone, Copy, Debug)]
pub struct Instruction(());

impl Instruction {
    /// Asserts that this code runs in a TD.
    ///
    /// # Safety
    ///
    /// Wherever the value is used, the CPU must be in 64-bit mode at privilege level 0 of a TD (CPUID leaf 21h says
    /// "IntelTDX    "). Elsewhere TDCALL raises #UD or #GP.
    pub const unsafe fn assume_td() -> Self {
        Self(())
    }
}

// SAFETY: The instruction is what the trait describes.
unsafe impl Transport for Instruction {
    // Where it is inlined, registers that a leaf does not use cost one instruction each, and results that nobody looks
    // at cost none.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn tdcall(&self, registers: &mut Registers) {
        // RBX cannot be an operand because LLVM reserves it, and something has to lead to its value: RDI.
        let mut rbx_rdi = [registers.rbx, registers.rdi];
        // SAFETY: The type's value was made under the promise that TDCALL can be executed here. Every register of
        // `Registers` is loaded before the instruction and stored after it, so the TDX module sees nothing else, and
        // whatever it changes is an operand of the block, but for RBX, which is saved on the stack. The memory that the
        // block itself reads and writes is `rbx_rdi`, borrowed for it. TDCALL leaves RSP, and RBP as no caller asks for
        // it to be passed, untouched. Neither `nomem` nor `readonly` is claimed: the TDX module reads and writes memory
        // operands, which the caller of this function has vouched for. `nostack` is not claimed either, so the red zone
        // is not in use.
        unsafe {
            core::arch::asm!(
                "push rbx",
                "push rdi",
                "mov rbx, [rdi]",
                "mov rdi, [rdi + 8]",
                // TDCALL, for assemblers that do not know it.
                ".byte 0x66, 0x0f, 0x01, 0xcc",
                // RDI's result goes to the stack, the pointer comes back. (XCHG with memory would lock the bus.)
                "push rdi",
                "mov rdi, [rsp + 8]",
                "mov [rdi], rbx",
                "pop rbx",
                "mov [rdi + 8], rbx",
                "pop rbx",
                "pop rbx",
                inout("rdi") rbx_rdi.as_mut_ptr() => _,
                inout("rax") registers.rax,
                inout("rcx") registers.rcx,
                inout("rdx") registers.rdx,
                inout("rsi") registers.rsi,
                inout("r8") registers.r8,
                inout("r9") registers.r9,
                inout("r10") registers.r10,
                inout("r11") registers.r11,
                inout("r12") registers.r12,
                inout("r13") registers.r13,
                inout("r14") registers.r14,
                inout("r15") registers.r15,
            );
        }
        [registers.rbx, registers.rdi] = rbx_rdi;
    }

    /// There is no TDCALL on other architectures, and no [`Instruction`] can be made there without breaking
    /// [`Instruction::assume_td`]'s contract; the call answers that the operand in RAX (the leaf) is invalid.
    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn tdcall(&self, registers: &mut Registers) {
        registers.rax = crate::Status::operand_invalid(crate::OperandId::RAX).0;
    }
}
