// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The leaves that measure and report: TDG.MR.*.

use crate::{
    leaf, Error, ExtendBuffer, Operand, OperandMut, Registers, ReportBuffer, ReportDataBuffer,
    ReportMacBuffer, RtmrIndex, Status, Transport,
};

/// TDG.MR.REPORT: writes a TDREPORT of this TD that carries `reportdata` to `report`.
///
/// # Errors
///
/// [`Status::OPERAND_BUSY`] while another vCPU extends an RTMR. On any error `report` is to be taken for undefined.
pub fn mr_report(
    tdx: &impl Transport,
    report: &mut OperandMut<'_, ReportBuffer>,
    reportdata: &Operand<'_, ReportDataBuffer>,
) -> Result<(), Error> {
    let mut registers = Registers {
        rcx: report.gpa().0,
        rdx: reportdata.gpa().0,
        // The report's subtype, of which 0 is the only one.
        r8: 0,
        ..Registers::leaf(leaf::MR_REPORT)
    };
    // SAFETY: The leaf writes the 1024 bytes that RCX names, which by the invariant of `OperandMut` are those of an
    // exclusively borrowed `ReportBuffer`, and reads the 64 that RDX names, those of a borrowed `ReportDataBuffer`.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result().map(drop)
}

/// TDG.MR.RTMR.EXTEND: sets the register to SHA-384(register ‖ `digest`).
///
/// # Errors
///
/// [`Status::OPERAND_BUSY`] while another vCPU extends or reports; the register is then as before.
pub fn mr_rtmr_extend(
    tdx: &impl Transport,
    index: RtmrIndex,
    digest: &Operand<'_, ExtendBuffer>,
) -> Result<(), Error> {
    let mut registers = Registers {
        rcx: digest.gpa().0,
        rdx: index as u64,
        ..Registers::leaf(leaf::MR_RTMR_EXTEND)
    };
    // SAFETY: The leaf reads the 48 bytes that RCX names, those of a borrowed `ExtendBuffer`, and writes no memory.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result().map(drop)
}

/// TDG.MR.VERIFYREPORT: checks that a REPORTMACSTRUCT was made on this platform.
///
/// # Errors
///
/// [`Status::INVALID_REPORTMACSTRUCT`] when the structure or its MAC does not hold, [`Status::INVALID_CPUSVN`] for a
/// CPUSVN that the platform does not have, and [`Status::OPERAND_INVALID`] naming RAX where the TDX module has no such
/// leaf.
pub fn mr_verifyreport(
    tdx: &impl Transport,
    mac: &Operand<'_, ReportMacBuffer>,
) -> Result<(), Error> {
    let mut registers = Registers {
        rcx: mac.gpa().0,
        ..Registers::leaf(leaf::MR_VERIFYREPORT)
    };
    // SAFETY: The leaf reads the 256 bytes that RCX names, those of a borrowed `ReportMacBuffer`, and writes no memory.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result().map(drop)
}
