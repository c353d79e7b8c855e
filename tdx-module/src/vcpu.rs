// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the TDX module knows of one vCPU.

use core::sync::atomic::{AtomicU8, Ordering};
use spin::Mutex;

/// Why a #VE was raised, as TDG.VP.VEINFO.GET tells it.
///
/// Source: TDX module ABI, "VE_INFO"; exit reasons and qualifications are those of the Intel SDM, volume 3, appendix C.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VeInfo {
    /// The VM exit reason.
    pub exit_reason: u32,
    /// The exit qualification.
    pub exit_qualification: u64,
    /// The guest linear address.
    pub gla: u64,
    /// The guest physical address.
    pub gpa: u64,
    /// The length of the instruction.
    pub instruction_length: u32,
    /// The instruction information field.
    pub instruction_info: u32,
}

impl VeInfo {
    /// The exit reason of an EPT violation.
    pub const EPT_VIOLATION: u32 = 48;
}

/// Where CPUID raises #VE, as TDG.VP.CPUIDVE.SET set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuidVe {
    /// At privilege level 0.
    pub supervisor: bool,
    /// At other privilege levels.
    pub user: bool,
}

/// The state of one vCPU.
#[derive(Debug, Default)]
pub(crate) struct Vcpu {
    /// The #VE whose information has not been fetched.
    pub(crate) ve_info: Mutex<Option<VeInfo>>,
    /// [`CpuidVe`], as the bits of the leaf's operand.
    cpuid_ve: AtomicU8,
}

impl Vcpu {
    pub(crate) fn cpuid_ve(&self) -> CpuidVe {
        let bits = self.cpuid_ve.load(Ordering::Relaxed);
        CpuidVe {
            supervisor: bits & 1 != 0,
            user: bits & 2 != 0,
        }
    }

    pub(crate) fn set_cpuid_ve(&self, CpuidVe { supervisor, user }: CpuidVe) {
        let bits = u8::from(supervisor) | (u8::from(user) << 1);
        self.cpuid_ve.store(bits, Ordering::Relaxed);
    }
}
