// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.VMCALL<Instruction.…>: what a TD has its host execute, because the TDX module does not let it itself.
//!
//! Source: GHCI, "TDG.VP.VMCALL<Instruction.IO>" and the sections beside it. Checks are those of Linux's KVM.

use crate::call::{Call, Stop};
use crate::pages::PageState;
use crate::{Machine, Outcome};
use tdx_call::{Gpa, Registers, Vmcall, VmcallStatus};

/// An instruction that a TD has its host execute. All operands have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostInstruction {
    /// CPUID.
    Cpuid {
        /// EAX.
        leaf: u32,
        /// ECX.
        subleaf: u32,
    },
    /// IN.
    PortIn {
        /// The port.
        port: u16,
        /// Bytes: 1, 2 or 4.
        size: u8,
    },
    /// OUT.
    PortOut {
        /// The port.
        port: u16,
        /// Bytes: 1, 2 or 4.
        size: u8,
        /// What is written.
        value: u32,
    },
    /// RDMSR.
    ReadMsr {
        /// ECX.
        msr: u32,
    },
    /// WRMSR.
    WriteMsr {
        /// ECX.
        msr: u32,
        /// EDX and EAX.
        value: u64,
    },
    /// A load from a device.
    MmioRead {
        /// The address, without the SHARED bit.
        gpa: Gpa,
        /// Bytes: 1, 2, 4 or 8.
        size: u8,
    },
    /// A store to a device.
    MmioWrite {
        /// The address, without the SHARED bit.
        gpa: Gpa,
        /// Bytes: 1, 2, 4 or 8.
        size: u8,
        /// What is written.
        value: u64,
    },
}

/// What a [`HostInstruction`] returned: of CPUID the registers EAX, EBX, ECX and EDX, of what reads the value first, of
/// what writes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstructionResult(pub [u64; 4]);

impl InstructionResult {
    /// The result of an instruction that reads one value.
    pub const fn value(value: u64) -> Self {
        Self([value, 0, 0, 0])
    }
}

/// What a machine does about a [`HostInstruction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It has executed it.
    Done(InstructionResult),
    /// It will execute it when the TDCALL has returned [`Outcome::Deferred`], and then call
    /// [`Td::complete`](crate::Td::complete).
    Deferred,
    /// It executes no such instruction, and the TD is told [`VmcallStatus::SUBFUNC_UNSUPPORTED`].
    Refused,
}

/// Whether a function of TDG.VP.VMCALL is an instruction to execute.
pub(super) fn is_instruction(function: u64) -> bool {
    matches!(
        function,
        Vmcall::CPUID | Vmcall::IO | Vmcall::RDMSR | Vmcall::WRMSR | Vmcall::MMIO
    )
}

impl<M: Machine + ?Sized> Call<'_, M> {
    /// Has the machine execute the instruction that `call` asks for.
    pub(super) fn instruction(&self, call: &mut Registers) -> Result<VmcallStatus, Stop> {
        let Some(instruction) = self.decode(call) else {
            return Ok(VmcallStatus::INVALID_OPERAND);
        };
        match self.machine.execute(self.vcpu, instruction) {
            Execution::Done(result) => {
                instruction.answer(result, call);
                Ok(VmcallStatus::SUCCESS)
            }
            Execution::Deferred => Err(Stop::Outcome(Outcome::Deferred(instruction))),
            Execution::Refused => Ok(VmcallStatus::SUBFUNC_UNSUPPORTED),
        }
    }

    /// The instruction that `call` asks for, if its operands are good.
    fn decode(&self, call: &Registers) -> Option<HostInstruction> {
        let Registers {
            r12, r13, r14, r15, ..
        } = *call;
        let low = |value: u64| (value & u64::from(u32::MAX)) as u32;
        Some(match call.r11 {
            Vmcall::CPUID => HostInstruction::Cpuid {
                leaf: low(r12),
                subleaf: low(r13),
            },
            Vmcall::IO => {
                let size = size(r12, 4)?;
                let port = u16::try_from(r14).ok()?;
                match r13 {
                    0 => HostInstruction::PortIn { port, size },
                    1 => HostInstruction::PortOut {
                        port,
                        size,
                        value: low(r15),
                    },
                    _ => return None,
                }
            }
            Vmcall::RDMSR => HostInstruction::ReadMsr { msr: low(r12) },
            Vmcall::WRMSR => HostInstruction::WriteMsr {
                msr: low(r12),
                value: r13,
            },
            Vmcall::MMIO => {
                let size = size(r12, 8)?;
                let gpa = self.device(r14)?;
                match r13 {
                    0 => HostInstruction::MmioRead { gpa, size },
                    1 => HostInstruction::MmioWrite {
                        gpa,
                        size,
                        value: r15,
                    },
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// The address of a device or of shared memory, without the SHARED bit. The host does not reach private memory.
    fn device(&self, gpa: u64) -> Option<Gpa> {
        let parameters = &self.td.parameters;
        if gpa >> parameters.gpa_width != 0 {
            return None;
        }
        let gpa = gpa & !parameters.shared_bit();
        match self.td.pages.read().state(gpa >> 12) {
            None | Some(PageState::Shared) => Some(Gpa(gpa)),
            Some(_) => None,
        }
    }
}

/// The size of an access, if it is one.
fn size(size: u64, largest: u64) -> Option<u8> {
    (size.is_power_of_two() && size <= largest).then_some(size as u8)
}

impl HostInstruction {
    /// Puts a result into the registers in which the TD expects it.
    pub(crate) fn answer(self, InstructionResult(result): InstructionResult, call: &mut Registers) {
        match self {
            Self::Cpuid { .. } => [call.r12, call.r13, call.r14, call.r15] = result,
            Self::PortIn { .. } | Self::ReadMsr { .. } | Self::MmioRead { .. } => {
                call.r11 = result[0];
            }
            Self::PortOut { .. } | Self::WriteMsr { .. } | Self::MmioWrite { .. } => {}
        }
    }
}
