// SPDX-License-Identifier: GPL-2.0-only

//! [`TDX_CMD_EXTEND_RTMR`](tdx_uapi::ioctl::TDX_CMD_EXTEND_RTMR).

use super::Opener;
use kernel::{
    bindings,
    fs::File,
    prelude::*,
    uaccess::UserSlice, //
};
use tdx_call::RtmrIndex;
use tdx_uapi::ioctl::TdxExtendRtmrReq;

impl Opener {
    /// Extends the RTMR that the request at `req` names, if `file` was opened for writing.
    pub(super) fn extend_rtmr(&self, file: &File, req: UserPtr) -> Result {
        const LEN: usize = size_of::<TdxExtendRtmrReq>();

        // Read-only is 0, and 3 is neither to read nor to write.
        if !matches!(
            file.flags() & bindings::O_ACCMODE,
            bindings::O_WRONLY | bindings::O_RDWR
        ) {
            return Err(EBADF);
        }
        let req: TdxExtendRtmrReq =
            zerocopy::transmute!(UserSlice::new(req, LEN).reader().read::<[u8; LEN]>()?);
        let index = RtmrIndex::new(req.index.into()).ok_or(EINVAL)?;
        self.registers.extend_rtmr(index, req.data)
    }
}
