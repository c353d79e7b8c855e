// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The ioctl ABI of `/dev/tdx-guest` and `/dev/tdx_guest`.
//!
//! The same in C: `include/uapi/linux/tdx-guest.h`. Each request says what the driver returns.

use crate::{REPORTDATA_LEN, TDREPORT_LEN};
use core::mem::{offset_of, size_of};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The type byte of all these ioctls.
const TYPE: u32 = b'T' as u32;

/// `_IOWR(TYPE, number, size)` of `include/uapi/asm-generic/ioctl.h`.
const fn iowr(number: u32, size: usize) -> u32 {
    assert!(size < 1 << 14, "an ioctl number has 14 bits for the size");
    (3 << 30) | ((size as u32) << 16) | (TYPE << 8) | number
}

/// Asks for a TDREPORT: the number of Linux's `TDX_CMD_GET_REPORT0`, on [`TdxReportReq`].
///
/// `reportdata` goes in, `tdreport` comes out. Returns 0, or fails with EFAULT (the request cannot be read or written),
/// EINTR (a signal came while the TDX module was busy), ENOMEM, or EIO (the TDX module refused, or stayed busy; the kernel
/// log says with which status). Unless EFAULT came of writing it, `tdreport` is then as it was.
pub const TDX_CMD_GET_REPORT: u32 = iowr(1, size_of::<TdxReportReq>());

/// Asks for a TDREPORT in the form of the TDX 1.0 driver, on a pointer to a [`Tdx10ReportReq`].
///
/// The argument of the ioctl is the address of the structure, although the number says eight bytes. Fails as
/// [`TDX_CMD_GET_REPORT`] does, with EINVAL for a subtype or length that is not as documented, and with ENOTTY for
/// 32-bit programs: the header of TDX 1.0 leaves the padding to the compiler, which makes it another structure there.
pub const TDX_1_0_CMD_GET_REPORT: u32 = iowr(1, size_of::<u64>());

/// `struct tdx_report_req`: the argument of [`TDX_CMD_GET_REPORT`].
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TdxReportReq {
    /// REPORTDATA: what the requester wants in the report, typically a nonce or the hash of a public key.
    pub reportdata: [u8; REPORTDATA_LEN],
    /// Where the TDREPORT is written; see [`TdReport`](crate::TdReport).
    pub tdreport: [u8; TDREPORT_LEN],
}

/// `struct tdx_1_0_report_req`: the argument of [`TDX_1_0_CMD_GET_REPORT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Tdx10ReportReq {
    /// The report's subtype; 0 is the only one.
    pub subtype: u8,
    /// Padding, ignored.
    pub padding0: [u8; 7],
    /// The address of 64 bytes of REPORTDATA.
    pub reportdata: u64,
    /// The length of REPORTDATA: 64.
    pub rpd_len: u32,
    /// Padding, ignored.
    pub padding1: u32,
    /// The address where 1024 bytes of TDREPORT are written.
    pub tdreport: u64,
    /// The length of the TDREPORT: 1024.
    pub tdr_len: u32,
    /// Padding, ignored.
    pub padding2: u32,
}

const _: () = {
    assert!(TDX_CMD_GET_REPORT == 0xc440_5401);
    assert!(size_of::<TdxReportReq>() == 1088);
    assert!(offset_of!(TdxReportReq, tdreport) == 64);
    assert!(TDX_1_0_CMD_GET_REPORT == 0xc008_5401);
    assert!(size_of::<Tdx10ReportReq>() == 40);
    assert!(offset_of!(Tdx10ReportReq, reportdata) == 8);
    assert!(offset_of!(Tdx10ReportReq, rpd_len) == 16);
    assert!(offset_of!(Tdx10ReportReq, tdreport) == 24);
    assert!(offset_of!(Tdx10ReportReq, tdr_len) == 32);
};
