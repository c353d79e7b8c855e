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
    // The block takes all registers away from the function that it is in. A function of its own would have to save them
    // once more than its caller does anyway.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn tdcall(&self, registers: &mut Registers) {
        use core::mem::offset_of;

        // SAFETY: The type's value was made under the promise that TDCALL can be executed here. The block loads every
        // register of `Registers` from the structure that RDI points to, and stores every one of them back, so the TDX
        // module sees nothing else and whatever it changes is either an operand of the block or restored: RBX, which
        // cannot be an operand because LLVM reserves it, is saved on the stack. TDCALL leaves RSP, and RBP as no caller
        // asks for it to be passed, untouched. Neither `nomem` nor `readonly` is claimed: the TDX module reads and
        // writes memory operands, which the caller of this function has vouched for. `nostack` is not claimed either,
        // so the red zone is not in use.
        unsafe {
            core::arch::asm!(
                "push rbx",
                "push rdi",
                "mov rax, [rdi + {rax}]",
                "mov rbx, [rdi + {rbx}]",
                "mov rcx, [rdi + {rcx}]",
                "mov rdx, [rdi + {rdx}]",
                "mov rsi, [rdi + {rsi}]",
                "mov r8,  [rdi + {r8}]",
                "mov r9,  [rdi + {r9}]",
                "mov r10, [rdi + {r10}]",
                "mov r11, [rdi + {r11}]",
                "mov r12, [rdi + {r12}]",
                "mov r13, [rdi + {r13}]",
                "mov r14, [rdi + {r14}]",
                "mov r15, [rdi + {r15}]",
                "mov rdi, [rdi + {rdi}]",
                // TDCALL, for assemblers that do not know it.
                ".byte 0x66, 0x0f, 0x01, 0xcc",
                // RDI's result goes to the stack, the pointer comes back.
                "xchg rdi, [rsp]",
                "mov [rdi + {rax}], rax",
                "mov [rdi + {rbx}], rbx",
                "mov [rdi + {rcx}], rcx",
                "mov [rdi + {rdx}], rdx",
                "mov [rdi + {rsi}], rsi",
                "mov [rdi + {r8}],  r8",
                "mov [rdi + {r9}],  r9",
                "mov [rdi + {r10}], r10",
                "mov [rdi + {r11}], r11",
                "mov [rdi + {r12}], r12",
                "mov [rdi + {r13}], r13",
                "mov [rdi + {r14}], r14",
                "mov [rdi + {r15}], r15",
                "pop rax",
                "mov [rdi + {rdi}], rax",
                "pop rbx",
                rax = const offset_of!(Registers, rax),
                rbx = const offset_of!(Registers, rbx),
                rcx = const offset_of!(Registers, rcx),
                rdx = const offset_of!(Registers, rdx),
                rsi = const offset_of!(Registers, rsi),
                rdi = const offset_of!(Registers, rdi),
                r8 = const offset_of!(Registers, r8),
                r9 = const offset_of!(Registers, r9),
                r10 = const offset_of!(Registers, r10),
                r11 = const offset_of!(Registers, r11),
                r12 = const offset_of!(Registers, r12),
                r13 = const offset_of!(Registers, r13),
                r14 = const offset_of!(Registers, r14),
                r15 = const offset_of!(Registers, r15),
                inout("rdi") registers => _,
                out("rax") _,
                out("rcx") _,
                out("rdx") _,
                out("rsi") _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
            );
        }
    }

    /// There is no TDCALL on other architectures, and no [`Instruction`] can be made there without breaking
    /// [`Instruction::assume_td`]'s contract; the call answers that the operand in RAX (the leaf) is invalid.
    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn tdcall(&self, registers: &mut Registers) {
        registers.rax = crate::Status::operand_invalid(crate::OperandId::RAX).0;
    }
}
