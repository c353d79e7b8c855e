// SPDX-License-Identifier: GPL-2.0-only

//! [`TDX_CMD_GET_QUOTE`](tdx_uapi::ioctl::TDX_CMD_GET_QUOTE) and the others of its kind.

use super::Opener;
use crate::quote::Quotes;
use kernel::{
    prelude::*,
    uaccess::UserSlice, //
};
use tdx_uapi::ioctl::{
    TdxQuoteHdr,
    TdxQuoteReq, //
};
use zerocopy::IntoBytes;

impl Opener {
    /// Has the host answer the request at `req`, and puts the answer in its place.
    pub(super) fn get_quote(&self, req: UserPtr) -> Result {
        const REQ: usize = size_of::<TdxQuoteReq>();
        const HDR: usize = TdxQuoteHdr::LEN;

        let req: TdxQuoteReq =
            zerocopy::transmute!(UserSlice::new(req, REQ).reader().read::<[u8; REQ]>()?);
        let len = usize::try_from(req.len).map_err(|_| EINVAL)?;
        let room = len.checked_sub(HDR).ok_or(EINVAL)?.min(Quotes::MAX_DATA);
        let hdr = UserPtr::from_addr(req.buf as usize);
        let data = hdr.wrapping_byte_add(HDR);

        let header: TdxQuoteHdr =
            zerocopy::transmute!(UserSlice::new(hdr, HDR).reader().read::<[u8; HDR]>()?);
        let in_len = header.request_len(room).map_err(|_| EINVAL)?;
        let mut request = KVVec::new();
        UserSlice::new(data, in_len).read_all(&mut request, GFP_KERNEL)?;

        let answer = self.quotes.answer(&request)?;
        if answer.data.len() > room {
            return Err(EFBIG);
        }
        UserSlice::new(data, answer.data.len())
            .writer()
            .write_slice(&answer.data)?;
        let header = TdxQuoteHdr {
            status: answer.status.0,
            out_len: answer.data.len() as u32,
            ..header
        };
        UserSlice::new(hdr, HDR)
            .writer()
            .write_slice(header.as_bytes())
    }
}
