// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How a TDCALL ends.

use crate::HostInstruction;
use core::fmt;
use tdx_call::{Gpa, OperandId, Registers, Status};

/// How a TDCALL ended, and so what a front-end does next.
#[must_use = "only one of the outcomes lets the vCPU go on"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The leaf completed, well or not: RAX has the status, and the vCPU goes on behind the instruction.
    Completed,
    /// The TD gets an exception at the instruction. No register has changed.
    Exception(Exception),
    /// A memory operand met a page that is not there for the TD in the way it was addressed. No register has changed.
    ///
    /// The TDX module exits to the host, which may repair the page and resume the TD at the same instruction. Linux's
    /// KVM and QEMU convert a page between private and shared; at a pending page KVM ends the TD. A front-end that can
    /// do no better may end the TD too, or use [`EptViolation::refuse`].
    EptViolation(EptViolation),
    /// The TD has its host execute an instruction, and the machine does that later. No register has changed. When it is
    /// done, [`Td::complete`](crate::Td::complete) completes the call.
    Deferred(HostInstruction),
}

/// An exception that a TDCALL raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// #GP(0): the vCPU is not in 64-bit mode.
    GeneralProtection,
    /// #VE: an operand is in a pending page, and the TD has not disabled #VE for those. TDG.VP.VEINFO.GET tells more.
    Virtualization,
    /// #DF: #VE, while the information of the last #VE has not been fetched.
    DoubleFault,
}

impl Exception {
    /// The vector.
    pub const fn vector(self) -> u8 {
        match self {
            Self::DoubleFault => 8,
            Self::GeneralProtection => 13,
            Self::Virtualization => 20,
        }
    }

    /// The error code to push, for the exceptions that have one.
    pub const fn error_code(self) -> Option<u32> {
        match self {
            Self::GeneralProtection | Self::DoubleFault => Some(0),
            Self::Virtualization => None,
        }
    }
}

/// A memory operand that the page tables which guard a TD do not lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EptViolation {
    /// The register that names the memory.
    pub operand: OperandId,
    /// The address in it, SHARED bit included.
    pub gpa: Gpa,
    /// What is the matter with the page.
    pub cause: Cause,
}

/// What is the matter with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is private, but the TD has not accepted it.
    Pending,
    /// It was addressed as private memory and is shared.
    Shared,
    /// It was addressed as shared memory and is private.
    Private,
    /// There is no memory, or it cannot be written.
    Absent,
}

impl EptViolation {
    /// Completes the leaf as if the operand were invalid, for front-ends that have no host to repair the page.
    pub fn refuse(self, registers: &mut Registers) {
        registers.rax = Status::operand_invalid(self.operand).0;
    }
}

impl fmt::Display for EptViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.cause {
            Cause::Pending => "a private page that was not accepted",
            Cause::Shared => "private memory, but the page is shared",
            Cause::Private => "shared memory, but the page is private",
            Cause::Absent => "memory that is not there or cannot be written",
        };
        let Self { operand, gpa, .. } = self;
        write!(
            f,
            "EPT violation: {operand} addresses {what}, GPA {:#x}",
            gpa.0
        )
    }
}

impl core::error::Error for EptViolation {}
