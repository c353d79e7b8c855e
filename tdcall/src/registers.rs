// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The register file of a TDCALL.

/// The general-purpose registers that a TDCALL takes and returns.
///
/// RSP never takes part. RBP could, in TDG.VP.VMCALL, but no function of the GHCI uses it, compilers keep their frame
/// in it, and a TD may be configured to forbid it (CONFIG_FLAGS.NO_RBP_MOD); it is left out. A register that is not set
/// goes in as zero, so that nothing of the caller's reaches the TDX module or, through TDG.VP.VMCALL, the host.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the registers of the same name")]
pub struct Registers {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
}

impl Registers {
    /// A register file with `leaf` in RAX (version 0) and everything else zero.
    pub const fn leaf(leaf: u64) -> Self {
        Self {
            rax: leaf,
            rbx: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            r8: 0,
            r9: 0,
            r10: 0,
            r11: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
        }
    }
}
