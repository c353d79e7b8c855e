// SPDX-License-Identifier: GPL-2.0-only

//! [`TDX_CMD_VERIFYREPORT`](tdx_uapi::ioctl::TDX_CMD_VERIFYREPORT).

use super::copy_from_user;
use crate::{
    cpu,
    verify::verify, //
};
use core::mem::offset_of;
use kernel::{
    prelude::*,
    uaccess::UserSlice, //
};
use tdx_uapi::{
    ioctl::TdxVerifyReportReq,
    REPORTMACSTRUCT_LEN, //
};

/// Has the TDX module verify the REPORTMACSTRUCT that the request at `req` points to.
pub(super) fn verify_report(req: UserPtr) -> Result {
    // A 32-bit program has no padding behind it.
    const LEN: usize = offset_of!(TdxVerifyReportReq, padding);

    let mut req = UserSlice::new(req, LEN).reader();
    let reportmac = UserPtr::from_addr(req.read::<u64>()? as usize);
    if req.read::<u32>()? as usize != REPORTMACSTRUCT_LEN {
        return Err(EINVAL);
    }
    verify(cpu::td()?, |to| copy_from_user(to, reportmac))
}
