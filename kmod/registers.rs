// SPDX-License-Identifier: GPL-2.0-only

//! The measurement registers of the TD: read by way of a TDREPORT, extended by the TDX module.

use crate::{
    report::{
        self,
        Reporter, //
    },
    tsm_mr::{
        Measured,
        Register,
        Registers,
        Value, //
    }, //
};
use core::mem::offset_of;
use kernel::prelude::*;
use tdx_call::{
    mr_rtmr_extend,
    ExtendBuffer,
    Instruction,
    RtmrIndex, //
};
use tdx_uapi::TdReport;

/// How many there are.
const COUNT: usize = 8;

/// The number of RTMR0 among them.
const FIRST_RTMR: usize = 4;

/// Where they are in a TDREPORT, one behind the other.
const FIRST: usize = offset_of!(TdReport, td_info.mrtd);

/// Behind them.
const END: usize = offset_of!(TdReport, td_info.servtd_hash);

const _: () = assert!(END - FIRST == COUNT * size_of::<Value>());

/// The registers of the TD, with their attributes in sysfs.
pub(crate) type TdRegisters = Registers<Td, COUNT>;

/// The TD that this kernel runs in.
pub(crate) struct Td {
    /// How the TDX module is called.
    tdx: Instruction,

    /// Where TDREPORTs come from.
    reporter: Reporter,
}

impl Td {
    /// The TD to which `tdx` belongs.
    pub(crate) const fn new(tdx: Instruction) -> Self {
        Self {
            tdx,
            reporter: Reporter::new(tdx),
        }
    }
}

impl TdRegisters {
    /// Extends an RTMR by `digest`.
    ///
    /// # Errors
    ///
    /// See [`TDX_CMD_EXTEND_RTMR`](tdx_uapi::ioctl::TDX_CMD_EXTEND_RTMR).
    pub(crate) fn extend_rtmr(&self, index: RtmrIndex, digest: Value) -> Result {
        self.extend(FIRST_RTMR + index as usize, digest)
    }
}

impl Measured<COUNT> for Td {
    const REGISTERS: [Register; COUNT] = [
        Register::digest(c"mrtd"),
        Register::identifier(c"mrconfigid"),
        Register::identifier(c"mrowner"),
        Register::identifier(c"mrownerconfig"),
        Register::runtime(c"rtmr0"),
        Register::runtime(c"rtmr1"),
        Register::runtime(c"rtmr2"),
        Register::runtime(c"rtmr3"),
    ];

    fn read(&self, values: &mut [Value; COUNT]) -> Result {
        self.reporter.report(
            |_| Ok(()),
            |report| {
                values
                    .as_flattened_mut()
                    .copy_from_slice(&report[FIRST..END]);
                Ok(())
            },
        )
    }

    fn extend(&self, register: usize, digest: &Value) -> Result {
        let index = register.checked_sub(FIRST_RTMR).and_then(RtmrIndex::new);
        let index = index.ok_or(EINVAL)?;
        let digest = KBox::new(ExtendBuffer(*digest), GFP_KERNEL)?;
        let digest = report::operand(&digest);
        report::retry(|| mr_rtmr_extend(&self.tdx, index, &digest))?
            .map_err(|error| report::refused("TDG.MR.RTMR.EXTEND failed", error.status()))
    }
}
