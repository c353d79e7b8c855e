// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Answering CPUID, where a TD differs from what QEMU emulates. All other leaves are left to QEMU.

use crate::registers::CpuidRegisters;
use crate::{control, ffi, vcpu};
use core::ffi::{c_uint, c_void};

/// The length of the instruction.
const LENGTH: u64 = 2;

/// The leaf by which a TD knows that it is one. Source: TDX module ABI, "CPUID virtualization".
const TDX_LEAF: u32 = 0x21;

/// What [`TDX_LEAF`] returns in subleaf 0: "IntelTDX    ".
const TDX_SIGNATURE: CpuidRegisters = CpuidRegisters {
    eax: 0,
    ebx: u32::from_le_bytes(*b"Inte"),
    ecx: u32::from_le_bytes(*b"    "),
    edx: u32::from_le_bytes(*b"lTDX"),
};

/// Called before a CPUID that was translated at the address `userdata`.
pub(crate) extern "C" fn on_execution(vcpu_index: c_uint, userdata: *mut c_void) {
    // `set_pc` leaves by `longjmp`, which runs no destructors: all that has one is gone when `answer` has returned.
    if let Some(next) = answer(vcpu_index, userdata.addr() as u64) {
        // SAFETY: The callback is registered as one that may change the PC, and nothing here has a destructor.
        unsafe { ffi::qemu_plugin_set_pc(next) }
    }
}

/// Answers the CPUID and returns the address of the instruction after it, or nothing if it is left to QEMU.
fn answer(vcpu_index: u32, translated_at: u64) -> Option<u64> {
    vcpu::with_current(|vcpu| {
        let result = match vcpu.registers.cpuid_arguments() {
            (TDX_LEAF, 0) => TDX_SIGNATURE,
            (eax, ecx) => control::answer(vcpu_index, eax, ecx)?,
        };
        vcpu.registers.write_cpuid(result);
        Some(vcpu.registers.instruction_address(translated_at) + LENGTH)
    })
}
