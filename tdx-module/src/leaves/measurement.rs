// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MR.REPORT, TDG.MR.RTMR.EXTEND and TDG.MR.VERIFYREPORT.

use crate::call::{invalid, Call, MemoryOperand, Stop};
use crate::report::{sha384, td_info};
use crate::Machine;
use tdx_call::{OperandId, Registers, RtmrIndex, Status};
use tdx_uapi::{DIGEST_LEN, REPORTDATA_LEN, REPORTMACSTRUCT_LEN, TDREPORT_LEN};
use zerocopy::IntoBytes;

impl<M: Machine + ?Sized> Call<'_, M> {
    /// TDG.MR.REPORT.
    ///
    /// REPORTDATA is read before the report is written, and the report only once all else is known to be right: Linux
    /// has REPORTDATA lie where the report's own goes.
    pub(super) fn mr_report(&self, registers: &Registers) -> Result<(), Stop> {
        let report = MemoryOperand {
            register: OperandId::RCX,
            gpa: registers.rcx,
            shared_allowed: true,
        };
        let reportdata = MemoryOperand {
            register: OperandId::RDX,
            gpa: registers.rdx,
            shared_allowed: true,
        };
        aligned(report, TDREPORT_LEN as u64)?;
        aligned(reportdata, REPORTDATA_LEN as u64)?;
        let reportdata = self.read(reportdata)?;
        // The subtype.
        if registers.r8 != 0 {
            return Err(invalid(OperandId::R8));
        }
        let busy = Status::operand_busy(OperandId::RTMR);
        let rtmr = *self.td.rtmr.try_read().ok_or(busy)?;
        // The processor makes the MAC, and takes its time, with no lock of the TDX module held.
        let time = self.td.report_time();
        if !time.is_zero() {
            self.machine.sleep(time);
        }
        let platform = &self.td.platform;
        let parameters = &self.td.parameters;
        let version = parameters.servtd_hash.is_some().into();
        let made = platform.report(version, td_info(parameters, rtmr), reportdata);
        self.write(report, made.as_bytes())
    }

    /// TDG.MR.RTMR.EXTEND.
    pub(super) fn mr_rtmr_extend(&self, registers: &Registers) -> Result<(), Stop> {
        let digest = MemoryOperand {
            register: OperandId::RCX,
            gpa: registers.rcx,
            shared_allowed: false,
        };
        aligned(digest, 64)?;
        let digest: [u8; DIGEST_LEN] = self.read(digest)?;
        // All 64 bits count.
        let index = usize::try_from(registers.rdx).ok().and_then(RtmrIndex::new);
        let index = index.ok_or(invalid(OperandId::RDX))?;
        let busy = Status::operand_busy(OperandId::RTMR);
        let mut rtmr = self.td.rtmr.try_write().ok_or(busy)?;
        let register = &mut rtmr[index as usize];
        *register = sha384(&[&register.0, &digest]);
        Ok(())
    }

    /// TDG.MR.VERIFYREPORT.
    pub(super) fn mr_verifyreport(&self, registers: &Registers) -> Result<(), Stop> {
        if !self.td.platform.verify_report {
            return Err(invalid(OperandId::RAX));
        }
        let mac = MemoryOperand {
            register: OperandId::RCX,
            gpa: registers.rcx,
            shared_allowed: false,
        };
        aligned(mac, REPORTMACSTRUCT_LEN as u64)?;
        let mac = self.read(mac)?;
        Ok(self.td.platform.verify_report(&mac)?)
    }
}

/// Checks an operand's alignment, a power of two.
fn aligned(operand: MemoryOperand, alignment: u64) -> Result<(), Stop> {
    if operand.gpa % alignment != 0 {
        return Err(invalid(operand.register));
    }
    Ok(())
}
