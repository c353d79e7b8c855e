// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The leaves, one method of [`Call`](crate::call::Call) each.
//!
//! Each checks what the TDX module checks in the module's order, because software sees which failure comes first.
//! Source: TDX module ABI, "Guest-side (TDCALL) interface functions"; where that is silent on the order, Intel's
//! published source of the TDX module 1.5.

#[cfg(test)]
mod busy;
mod info;
mod measurement;
mod memory;
mod metadata;
pub(crate) mod vmcall;

use crate::call::{invalid, Call, Stop};
use crate::{Generation, Machine};
use tdx_call::{leaf, OperandId, Registers};

impl<M: Machine + ?Sized> Call<'_, M> {
    /// Performs the leaf that RAX names. Success leaves RAX as it was; the caller sets it.
    pub(crate) fn perform(&self, registers: &mut Registers) -> Result<(), Stop> {
        match registers.rax & 0xffff {
            leaf::VP_VMCALL => self.vp_vmcall(registers),
            leaf::VP_INFO => {
                self.vp_info(registers);
                Ok(())
            }
            leaf::MR_RTMR_EXTEND => self.mr_rtmr_extend(registers),
            leaf::VP_VEINFO_GET => self.vp_veinfo_get(registers),
            leaf::MR_REPORT => self.mr_report(registers),
            leaf::VP_CPUIDVE_SET => self.vp_cpuidve_set(registers),
            leaf::MEM_PAGE_ACCEPT => self.mem_page_accept(registers),
            leaf::VM_RD => self.vm_rd(registers),
            leaf::VM_WR => self.vm_wr(registers),
            leaf::SYS_RD => self.sys_rd(registers),
            leaf::MR_VERIFYREPORT => self.mr_verifyreport(registers),
            leaf::MEM_PAGE_ATTR_RD => self.mem_page_attr_rd(registers),
            leaf::MEM_PAGE_ATTR_WR => self.mem_page_attr_wr(registers),
            _ => Err(invalid(OperandId::RAX)),
        }
    }

    /// Checks RAX: reserved bits, the leaf's version, and that there is such a leaf.
    pub(crate) fn check_leaf(&self, registers: &Registers) -> Result<(), Stop> {
        let leaf = registers.rax & 0xffff;
        let version = (registers.rax >> 16) & 0xff;
        let reserved = registers.rax >> 24;
        let there = match self.td.platform.generation {
            Generation::Tdx10 => leaf <= leaf::VM_WR,
            Generation::Tdx15 => LEAVES.contains(&leaf),
        };
        if reserved != 0 || (version > 0 && leaf != leaf::VM_RD) || !there {
            return Err(invalid(OperandId::RAX));
        }
        Ok(())
    }
}

/// The leaves that the model has.
const LEAVES: [u64; 13] = [
    leaf::VP_VMCALL,
    leaf::VP_INFO,
    leaf::MR_RTMR_EXTEND,
    leaf::VP_VEINFO_GET,
    leaf::MR_REPORT,
    leaf::VP_CPUIDVE_SET,
    leaf::MEM_PAGE_ACCEPT,
    leaf::VM_RD,
    leaf::VM_WR,
    leaf::SYS_RD,
    leaf::MR_VERIFYREPORT,
    leaf::MEM_PAGE_ATTR_RD,
    leaf::MEM_PAGE_ATTR_WR,
];
