// SPDX-License-Identifier: GPL-2.0-only

//! Whether a TDREPORT is of this platform.

use crate::report;
use kernel::{
    bindings,
    prelude::*, //
};
use tdx_call::{
    mr_verifyreport,
    Instruction,
    OperandId,
    ReportMacBuffer,
    Status, //
};
use tdx_uapi::REPORTMACSTRUCT_LEN;

/// Has the TDX module verify the REPORTMACSTRUCT that `fill` writes.
///
/// # Errors
///
/// What `fill` returns; `EBADMSG` if the structure or its MAC does not hold; `EKEYREJECTED` if the
/// platform does not have its CPUSVN; `EOPNOTSUPP` if nobody here can tell; `EIO` if the TDX module
/// refuses for another reason, and the log has the status; `EINTR` and `ENOMEM`.
pub(crate) fn verify(
    tdx: Instruction,
    fill: impl FnOnce(&mut [u8; REPORTMACSTRUCT_LEN]) -> Result,
) -> Result {
    let mut mac = KBox::new(ReportMacBuffer([0; REPORTMACSTRUCT_LEN]), GFP_KERNEL)?;
    fill(&mut mac.0)?;
    let mac = report::operand(&mac);
    report::retry(|| mr_verifyreport(&tdx, &mac))?.map_err(|error| refused(error.status()))
}

/// What the caller is told of a refusal, of which the log is told if it is no answer.
fn refused(status: Status) -> Error {
    const NOT_THERE: Status = Status::operand_invalid(OperandId::RAX);

    let errno = match status.kind() {
        Status::INVALID_REPORTMACSTRUCT => bindings::EBADMSG,
        Status::INVALID_CPUSVN => bindings::EKEYREJECTED,
        _ if status == NOT_THERE => bindings::EOPNOTSUPP,
        _ => return report::refused("TDG.MR.VERIFYREPORT failed", status),
    };
    Error::from_errno(-(errno as i32))
}
