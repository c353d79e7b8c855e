// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The specifications' names of leaves, functions and statuses, for traces and configurations.

use tdx_call::{leaf, Vmcall};
#[cfg(feature = "config")]
use tdx_call::{OperandId, Status, VmcallStatus};

/// The leaves, by the names of the TDX module ABI.
pub(crate) const LEAVES: &[(&str, u64)] = &[
    ("TDG.VP.VMCALL", leaf::VP_VMCALL),
    ("TDG.VP.INFO", leaf::VP_INFO),
    ("TDG.MR.RTMR.EXTEND", leaf::MR_RTMR_EXTEND),
    ("TDG.VP.VEINFO.GET", leaf::VP_VEINFO_GET),
    ("TDG.MR.REPORT", leaf::MR_REPORT),
    ("TDG.VP.CPUIDVE.SET", leaf::VP_CPUIDVE_SET),
    ("TDG.MEM.PAGE.ACCEPT", leaf::MEM_PAGE_ACCEPT),
    ("TDG.VM.RD", leaf::VM_RD),
    ("TDG.VM.WR", leaf::VM_WR),
    ("TDG.SYS.RD", leaf::SYS_RD),
    ("TDG.MR.VERIFYREPORT", leaf::MR_VERIFYREPORT),
    ("TDG.MEM.PAGE.ATTR.RD", leaf::MEM_PAGE_ATTR_RD),
    ("TDG.MEM.PAGE.ATTR.WR", leaf::MEM_PAGE_ATTR_WR),
];

/// The functions of TDG.VP.VMCALL, by the names of the GHCI.
pub(crate) const VMCALLS: &[(&str, u64)] = &[
    ("Instruction.CPUID", Vmcall::CPUID),
    ("Instruction.HLT", Vmcall::HLT),
    ("Instruction.IO", Vmcall::IO),
    ("Instruction.RDMSR", Vmcall::RDMSR),
    ("Instruction.WRMSR", Vmcall::WRMSR),
    ("#VE.RequestMMIO", Vmcall::MMIO),
    ("GetTdVmCallInfo", Vmcall::GET_TD_VM_CALL_INFO),
    ("MapGPA", Vmcall::MAP_GPA),
    ("GetQuote", Vmcall::GET_QUOTE),
    ("ReportFatalError", Vmcall::REPORT_FATAL_ERROR),
    (
        "SetupEventNotifyInterrupt",
        Vmcall::SETUP_EVENT_NOTIFY_INTERRUPT,
    ),
    ("Service", Vmcall::SERVICE),
];

pub(crate) fn leaf_name(leaf: u64) -> Option<&'static str> {
    name(LEAVES, leaf)
}

pub(crate) fn vmcall_name(function: u64) -> Option<&'static str> {
    name(VMCALLS, function)
}

fn name(table: &[(&'static str, u64)], number: u64) -> Option<&'static str> {
    let mut names = table.iter();
    names.find_map(|(name, known)| (*known == number).then_some(*name))
}

/// Completion statuses, by the names of the TDX module ABI.
#[cfg(feature = "config")]
pub(crate) const STATUSES: &[(&str, u64)] = &[
    ("TDX_SUCCESS", Status::SUCCESS.0),
    ("TDX_OPERAND_INVALID", Status::OPERAND_INVALID.0),
    ("TDX_OPERAND_BUSY", Status::OPERAND_BUSY.0),
    ("TDX_NO_VALID_VE_INFO", Status::NO_VALID_VE_INFO.0),
    ("TDX_PAGE_ALREADY_ACCEPTED", Status::PAGE_ALREADY_ACCEPTED.0),
    ("TDX_PAGE_SIZE_MISMATCH", Status::PAGE_SIZE_MISMATCH.0),
    (
        "TDX_METADATA_FIELD_ID_INCORRECT",
        Status::METADATA_FIELD_ID_INCORRECT.0,
    ),
    (
        "TDX_METADATA_FIELD_NOT_WRITABLE",
        Status::METADATA_FIELD_NOT_WRITABLE.0,
    ),
    (
        "TDX_METADATA_FIELD_NOT_READABLE",
        Status::METADATA_FIELD_NOT_READABLE.0,
    ),
    (
        "TDX_METADATA_FIELD_VALUE_NOT_VALID",
        Status::METADATA_FIELD_VALUE_NOT_VALID.0,
    ),
    ("TDX_INVALID_CPUSVN", Status::INVALID_CPUSVN.0),
    (
        "TDX_INVALID_REPORTMACSTRUCT",
        Status::INVALID_REPORTMACSTRUCT.0,
    ),
];

/// Operands that a status can name.
#[cfg(feature = "config")]
pub(crate) const OPERANDS: &[(&str, u64)] = &[
    ("RAX", OperandId::RAX.0 as u64),
    ("RCX", OperandId::RCX.0 as u64),
    ("RDX", OperandId::RDX.0 as u64),
    ("R8", OperandId::R8.0 as u64),
    ("RTMR", OperandId::RTMR.0 as u64),
    ("METADATA_FIELD", OperandId::METADATA_FIELD.0 as u64),
];

/// Statuses of a host, by the names of the GHCI without their common prefix.
#[cfg(feature = "config")]
pub(crate) const HOST_STATUSES: &[(&str, u64)] = &[
    ("SUCCESS", VmcallStatus::SUCCESS.0),
    ("RETRY", VmcallStatus::RETRY.0),
    ("INVALID_OPERAND", VmcallStatus::INVALID_OPERAND.0),
    ("GPA_INUSE", VmcallStatus::GPA_INUSE.0),
    ("ALIGN_ERROR", VmcallStatus::ALIGN_ERROR.0),
    ("SUBFUNC_UNSUPPORTED", VmcallStatus::SUBFUNC_UNSUPPORTED.0),
];
