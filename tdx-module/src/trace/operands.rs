// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The operands and results of each leaf, by name.

use super::{host_status, TracedCall};
use crate::metadata;
use core::fmt;
use tdx_call::{leaf, Status, Vmcall};

impl TracedCall {
    /// Writes what goes in.
    pub(super) fn operands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = &self.before;
        let (rcx, rdx, r8) = (registers.rcx, registers.rdx, registers.r8);
        match registers.rax & 0xffff {
            leaf::VP_VMCALL => self.vmcall_operands(f),
            leaf::MR_RTMR_EXTEND => write!(f, " data={rcx:#x} index={rdx}"),
            leaf::MR_REPORT => write!(f, " report={rcx:#x} reportdata={rdx:#x} subtype={r8}"),
            leaf::VP_CPUIDVE_SET => write!(f, " supervisor={} user={}", rcx & 1, rcx >> 1),
            leaf::MEM_PAGE_ACCEPT => {
                write!(f, " gpa={:#x} level={}", rcx & !0xfff, rcx & 0xfff)
            }
            leaf::VM_RD => field(f, &metadata::TD, rdx),
            leaf::VM_WR => {
                field(f, &metadata::TD, rdx)?;
                write!(f, " value={r8:#x} mask={:#x}", registers.r9)
            }
            leaf::SYS_RD => field(f, &metadata::SYSTEM, rdx),
            leaf::MR_VERIFYREPORT => write!(f, " reportmacstruct={rcx:#x}"),
            leaf::MEM_PAGE_ATTR_RD => write!(f, " gpa={rcx:#x}"),
            leaf::MEM_PAGE_ATTR_WR => {
                write!(f, " gpa={:#x} level={}", rcx & !0xfff, rcx & 0xfff)?;
                write!(f, " attributes={rdx:#x} flags={r8:#x}")
            }
            _ => Ok(()),
        }
    }

    fn vmcall_operands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = &self.before;
        let (r12, r13, r14, r15) = (registers.r12, registers.r13, registers.r14, registers.r15);
        match self.vmcall() {
            Some(Vmcall::CPUID) => write!(f, " leaf={r12:#x} subleaf={r13:#x}"),
            Some(Vmcall::HLT) => write!(f, " interrupts_blocked={r12}"),
            Some(Vmcall::IO) if r13 == 0 => write!(f, " in port={r14:#x} size={r12}"),
            Some(Vmcall::IO) => write!(f, " out port={r14:#x} size={r12} value={r15:#x}"),
            Some(Vmcall::RDMSR) => write!(f, " msr={r12:#x}"),
            Some(Vmcall::WRMSR) => write!(f, " msr={r12:#x} value={r13:#x}"),
            Some(Vmcall::MMIO) if r13 == 0 => write!(f, " read gpa={r14:#x} size={r12}"),
            Some(Vmcall::MMIO) => write!(f, " write gpa={r14:#x} size={r12} value={r15:#x}"),
            Some(Vmcall::GET_TD_VM_CALL_INFO) => write!(f, " leaf={r12}"),
            Some(Vmcall::MAP_GPA) => write!(f, " start={r12:#x} size={r13:#x}"),
            Some(Vmcall::GET_QUOTE) => write!(f, " buffer={r12:#x} size={r13:#x}"),
            Some(Vmcall::REPORT_FATAL_ERROR) => write!(f, " code={r12:#x} gpa={r13:#x}"),
            Some(Vmcall::SETUP_EVENT_NOTIFY_INTERRUPT) => write!(f, " vector={r12}"),
            Some(Vmcall::SERVICE) => {
                write!(f, " command={r12:#x} response={r13:#x}")?;
                write!(f, " vector={r14} timeout={r15}")
            }
            _ => write!(
                f,
                " mask={:#x} r10={:#x} r12={r12:#x} r13={r13:#x} r14={r14:#x} r15={r15:#x}",
                registers.rcx, registers.r10
            ),
        }
    }

    /// Writes what came out of a leaf that completed.
    pub(super) fn results(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = &self.after;
        if Status(registers.rax).is_error() {
            return Ok(());
        }
        match self.before.rax & 0xffff {
            leaf::VP_VMCALL => self.vmcall_results(f),
            leaf::VP_INFO => {
                write!(f, " gpaw={} attributes={:#x}", registers.rcx, registers.rdx)?;
                let (vcpus, max) = (registers.r8 & 0xffff_ffff, registers.r8 >> 32);
                write!(f, " vcpus={vcpus} max_vcpus={max} index={}", registers.r9)
            }
            leaf::VP_VEINFO_GET => {
                write!(
                    f,
                    " reason={} qualification={:#x}",
                    registers.rcx, registers.rdx
                )?;
                write!(f, " gla={:#x} gpa={:#x}", registers.r8, registers.r9)
            }
            leaf::VM_RD => write!(f, " value={:#x}", registers.r8),
            leaf::VM_WR => write!(f, " old={:#x}", registers.r8),
            leaf::SYS_RD => write!(f, " value={:#x} next={:#x}", registers.r8, registers.rdx),
            leaf::MEM_PAGE_ATTR_RD | leaf::MEM_PAGE_ATTR_WR => {
                write!(
                    f,
                    " page={:#x} attributes={:#x}",
                    registers.rcx, registers.rdx
                )
            }
            _ => Ok(()),
        }
    }

    fn vmcall_results(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = &self.after;
        if (registers.rcx >> 10) & 1 != 0 {
            host_status(f, registers.r10)?;
        }
        match self.vmcall() {
            Some(Vmcall::IO | Vmcall::RDMSR | Vmcall::MMIO) => {
                write!(f, " value={:#x}", registers.r11)
            }
            Some(Vmcall::MAP_GPA) if registers.r10 != 0 => {
                write!(f, " resume={:#x}", registers.r11)
            }
            Some(Vmcall::CPUID) => write!(
                f,
                " eax={:#x} ebx={:#x} ecx={:#x} edx={:#x}",
                registers.r12, registers.r13, registers.r14, registers.r15
            ),
            _ => Ok(()),
        }
    }
}

/// A metadata field by name, where it has one.
fn field(f: &mut fmt::Formatter<'_>, table: &metadata::Table, id: u64) -> fmt::Result {
    match table.name(id) {
        Some((name, _, 1)) => write!(f, " field={name}"),
        Some((name, element, _)) => write!(f, " field={name}[{element}]"),
        None => write!(f, " field={id:#x}"),
    }
}
