// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One TDCALL in progress: who calls, and what the leaves share.

use crate::pages::PageState;
use crate::vcpu::VeInfo;
use crate::{td_ctls, Cause, EptViolation, Machine, Outcome, Td};
use tdx_call::{Gpa, OperandId, Status};

/// A TDCALL in progress.
pub(crate) struct Call<'a, M: ?Sized> {
    pub(crate) td: &'a Td,
    pub(crate) vcpu: u32,
    pub(crate) machine: &'a M,
}

/// Why a leaf ended before its end.
pub(crate) enum Stop {
    /// It completes with this status.
    Status(Status),
    /// It does not complete.
    Outcome(Outcome),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// The refusal of a register's value.
pub(crate) const fn invalid(operand: OperandId) -> Stop {
    Stop::Status(Status::operand_invalid(operand))
}

/// A memory operand, before it is known to be one.
#[derive(Clone, Copy)]
pub(crate) struct MemoryOperand {
    /// The register that has the address.
    pub(crate) register: OperandId,
    /// The address, SHARED bit included.
    pub(crate) gpa: u64,
    /// Whether shared memory will do.
    pub(crate) shared_allowed: bool,
}

impl<M: Machine + ?Sized> Call<'_, M> {
    /// Checks the bits of a guest physical address: below the GPA width, and private unless shared memory will do.
    pub(crate) fn check_gpa(&self, operand: MemoryOperand) -> Result<(), Stop> {
        let parameters = &self.td.parameters;
        let beyond = operand.gpa >> parameters.gpa_width != 0;
        let shared = operand.gpa & parameters.shared_bit() != 0;
        if beyond || (shared && !operand.shared_allowed) {
            return Err(invalid(operand.register));
        }
        Ok(())
    }

    /// Reads the memory that an operand names, which does not cross a page.
    pub(crate) fn read<const N: usize>(&self, operand: MemoryOperand) -> Result<[u8; N], Stop> {
        let gpa = self.walk(operand, false)?;
        let mut bytes = [0; N];
        match self.machine.read(gpa, &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(violation(operand, Cause::Absent)),
        }
    }

    /// Writes the memory that an operand names, which does not cross a page.
    pub(crate) fn write(&self, operand: MemoryOperand, bytes: &[u8]) -> Result<(), Stop> {
        let gpa = self.walk(operand, true)?;
        let written = self.machine.write(gpa, bytes);
        written.map_err(|_| violation(operand, Cause::Absent))
    }

    /// Checks an operand and finds its memory, as the TDX module walks the secure or the shared EPT.
    fn walk(&self, operand: MemoryOperand, write: bool) -> Result<Gpa, Stop> {
        self.check_gpa(operand)?;
        let shared_bit = self.td.parameters.shared_bit();
        let shared = operand.gpa & shared_bit != 0;
        let gpa = operand.gpa & !shared_bit;
        match (self.td.pages.read().state(gpa >> 12), shared) {
            (Some(PageState::Accepted(_)), false) | (Some(PageState::Shared), true) => Ok(Gpa(gpa)),
            (Some(PageState::Pending), false) => Err(self.pending(operand, write)),
            (Some(PageState::Shared), false) => Err(violation(operand, Cause::Shared)),
            (Some(_), true) => Err(violation(operand, Cause::Private)),
            (None, _) => Err(violation(operand, Cause::Absent)),
        }
    }

    /// What a pending page leads to: #VE, unless the TD has disabled it.
    fn pending(&self, operand: MemoryOperand, write: bool) -> Stop {
        if self.td.metadata.td_ctls() & td_ctls::PENDING_VE_DISABLE != 0 {
            return violation(operand, Cause::Pending);
        }
        let exception = self.td.raise_ve(
            self.vcpu,
            VeInfo {
                exit_reason: VeInfo::EPT_VIOLATION,
                // Bit 0 is a read, bit 1 a write.
                exit_qualification: if write { 0b11 } else { 0b01 },
                gpa: operand.gpa,
                ..VeInfo::default()
            },
        );
        Stop::Outcome(Outcome::Exception(exception))
    }
}

/// The exit that an operand's page leads to.
pub(crate) const fn violation(operand: MemoryOperand, cause: Cause) -> Stop {
    Stop::Outcome(Outcome::EptViolation(EptViolation {
        operand: operand.register,
        gpa: Gpa(operand.gpa),
        cause,
    }))
}
