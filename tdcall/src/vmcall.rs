// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TDG.VP.VMCALL: calling the host.

use crate::{leaf, Error, Registers, Status, Transport};
use core::fmt;

/// A call to the host (a TDVMCALL): the function in R11, its arguments in R12 to R15.
///
/// Source: GHCI, "TDG.VP.VMCALL interface".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vmcall {
    /// The function, R11; see the constants of this type.
    pub function: u64,
    /// R12, R13, R14 and R15.
    pub arguments: [u64; 4],
}

impl Vmcall {
    /// Instruction.CPUID.
    pub const CPUID: u64 = 10;
    /// Instruction.HLT.
    pub const HLT: u64 = 12;
    /// Instruction.IO.
    pub const IO: u64 = 30;
    /// Instruction.RDMSR.
    pub const RDMSR: u64 = 31;
    /// Instruction.WRMSR.
    pub const WRMSR: u64 = 32;
    /// #VE.RequestMMIO.
    pub const MMIO: u64 = 48;
    /// GetTdVmCallInfo.
    pub const GET_TD_VM_CALL_INFO: u64 = 0x10000;
    /// MapGPA.
    pub const MAP_GPA: u64 = 0x10001;
    /// GetQuote.
    pub const GET_QUOTE: u64 = 0x10002;
    /// ReportFatalError.
    pub const REPORT_FATAL_ERROR: u64 = 0x10003;
    /// SetupEventNotifyInterrupt.
    pub const SETUP_EVENT_NOTIFY_INTERRUPT: u64 = 0x10004;
    /// Service.
    pub const SERVICE: u64 = 0x10005;

    /// The registers that this crate passes: R10 to R15, as a mask in RCX.
    pub const MASK: u64 = 0xfc00;
}

/// What the host answered in R10.
///
/// This is the host's word. Nothing follows from it for the TD's security.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VmcallStatus(pub u64);

impl VmcallStatus {
    /// The host did what was asked.
    pub const SUCCESS: Self = Self(0);
    /// The host wants the call repeated.
    pub const RETRY: Self = Self(1);
    /// An operand is not valid.
    pub const INVALID_OPERAND: Self = Self(0x8000_0000_0000_0000);
    /// The guest physical address is in use.
    pub const GPA_INUSE: Self = Self(0x8000_0000_0000_0001);
    /// An operand is not aligned.
    pub const ALIGN_ERROR: Self = Self(0x8000_0000_0000_0002);
    /// The host has no such function.
    pub const SUBFUNC_UNSUPPORTED: Self = Self(0x8000_0000_0000_0003);

    /// The specification's name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SUCCESS => "TDG.VP.VMCALL_SUCCESS",
            Self::RETRY => "TDG.VP.VMCALL_RETRY",
            Self::INVALID_OPERAND => "TDG.VP.VMCALL_INVALID_OPERAND",
            Self::GPA_INUSE => "TDG.VP.VMCALL_GPA_INUSE",
            Self::ALIGN_ERROR => "TDG.VP.VMCALL_ALIGN_ERROR",
            Self::SUBFUNC_UNSUPPORTED => "TDG.VP.VMCALL_SUBFUNC_UNSUPPORTED",
            _ => return None,
        })
    }
}

impl fmt::Display for VmcallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TDG.VP.VMCALL status {:#018x}", self.0),
        }
    }
}

impl fmt::Debug for VmcallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VmcallStatus({self})")
    }
}

/// TDG.VP.VMCALL: hands `call` to the host and returns its status with what it left in R11 to R15.
///
/// # Errors
///
/// The TDX module's own refusal, which is another thing than a status that the host returns.
///
/// # Safety
///
/// What the host is asked to do must not take memory away that the program still relies on: MapGPA changes what a page
/// is, and any address that is handed over must be of shared memory set aside for the host to write to.
pub unsafe fn vp_vmcall(
    tdx: &impl Transport,
    call: Vmcall,
) -> Result<(VmcallStatus, [u64; 5]), Error> {
    let [r12, r13, r14, r15] = call.arguments;
    let mut registers = Registers {
        rcx: Vmcall::MASK,
        // A standard function, as the GHCI defines it; a vendor's would have another value.
        r10: 0,
        r11: call.function,
        r12,
        r13,
        r14,
        r15,
        ..Registers::leaf(leaf::VP_VMCALL)
    };
    // SAFETY: The leaf has no memory operand of its own; what the host may do is the caller's to allow.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result()?;
    Ok((
        VmcallStatus(registers.r10),
        [
            registers.r11,
            registers.r12,
            registers.r13,
            registers.r14,
            registers.r15,
        ],
    ))
}
