// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The ioctl ABI of `/dev/tdx-guest` and `/dev/tdx_guest`.
//!
//! The same in C: `include/uapi/linux/tdx-guest.h`. Each request says what the driver returns.

use crate::{DIGEST_LEN, REPORTDATA_LEN, TDREPORT_LEN};
use core::mem::{offset_of, size_of};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The type byte of all these ioctls.
const TYPE: u32 = b'T' as u32;

/// `_IOWR(TYPE, number, size)` of `include/uapi/asm-generic/ioctl.h`.
const fn iowr(number: u32, size: usize) -> u32 {
    assert!(size < 1 << 14, "an ioctl number has 14 bits for the size");
    (3 << 30) | ((size as u32) << 16) | (TYPE << 8) | number
}

/// `_IOR(TYPE, number, size)` of `include/uapi/asm-generic/ioctl.h`.
const fn ior(number: u32, size: usize) -> u32 {
    iowr(number, size) & !(1 << 30)
}

/// `_IOW(TYPE, number, size)` of `include/uapi/asm-generic/ioctl.h`.
const fn iow(number: u32, size: usize) -> u32 {
    iowr(number, size) & !(2 << 30)
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

/// Asks for a Quote, on [`TdxQuoteReq`]: the number that was proposed for Linux in 2023.
///
/// The request points to a buffer with a [`TdxQuoteHdr`] and, behind it, `in_len` bytes: a TDREPORT, or a message to a quote
/// generation service (QGS) with its length. The answer takes its place, with `out_len` and the host's `status` in the
/// header.
///
/// Returns 0 when the host has answered, with `status` saying what: only with
/// [`QuoteStatus::SUCCESS`](crate::QuoteStatus::SUCCESS) is there data. Otherwise the buffer is as it was, except after
/// EFAULT, and the error is
///
/// - EINVAL: the version is not 1, there is no data, or more than the buffer or 128 KiB have room for, or it is neither a
///   TDREPORT nor a QGS message;
/// - EFAULT: the request or the buffer cannot be read or written;
/// - EOPNOTSUPP: the host does not know GetQuote;
/// - EIO: the host refused the request, or the TDX module did; the kernel log says with which status;
/// - EBADMSG: the host answered with something else than a Quote for the TDREPORT in the request;
/// - EFBIG: the answer is longer than the buffer;
/// - ETIMEDOUT: there was no answer in the time that the driver's parameter `quote_timeout_ms` allows;
/// - EINTR: a signal came first;
/// - EBUSY: the host keeps all of the driver's buffers, with requests that it has not answered;
/// - ENOMEM: no memory that could be shared with the host.
pub const TDX_CMD_GET_QUOTE: u32 = ior(2, size_of::<TdxQuoteReq>());

/// [`TDX_CMD_GET_QUOTE`] with the number of the TDX 1.0 driver. The argument points to a [`TdxQuoteReq`], although the
/// number says eight bytes.
pub const TDX_1_0_CMD_GET_QUOTE: u32 = ior(2, size_of::<u64>());

/// [`TDX_CMD_GET_QUOTE`] with the number of the first TDX 1.5 driver outside of Linux's tree.
pub const TDX_1_5_CMD_GET_QUOTE: u32 = ior(4, size_of::<TdxQuoteReq>());

/// [`TDX_CMD_GET_QUOTE`] with the number of the later TDX 1.5 driver outside of Linux's tree.
pub const TDX_1_5_CMD_GET_QUOTE_IOWR: u32 = iowr(4, size_of::<TdxQuoteReq>());

/// [`TDX_CMD_GET_QUOTE`] with the number that go-tdx-guest uses.
pub const TDX_CMD_GET_QUOTE_IOWR: u32 = iowr(2, size_of::<TdxQuoteReq>());

/// Asks whether a REPORTMACSTRUCT is of this platform, on a pointer to a [`TdxVerifyReportReq`]; the number says eight bytes,
/// as its authors' driver outside of Linux's tree has it.
///
/// Returns 0 if it is. Fails with EBADMSG (its MAC or structure does not hold: it is no report, or another platform's),
/// EKEYREJECTED (the platform does not have its CPUSVN), EINVAL (another length), EFAULT, EINTR, ENOMEM, EOPNOTSUPP (the TDX
/// module or the processor cannot verify reports), or EIO (the TDX module refused for another reason; the kernel log says
/// with which status).
pub const TDX_CMD_VERIFYREPORT: u32 = ior(3, size_of::<u64>());

/// Extends a runtime measurement register (RTMR), on [`TdxExtendRtmrReq`]: the number of the first TDX 1.5 driver outside
/// of Linux's tree.
///
/// The register becomes SHA-384(register ‖ `data`). Needs a file that is open for writing.
///
/// Returns 0, or fails with EBADF (the file is not open for writing), EFAULT, EINVAL (there is no RTMR of that index), EINTR
/// (a signal came while the TDX module was busy), ENOMEM, or EIO (the TDX module refused, or stayed busy; the kernel log says
/// with which status). The register is then as it was.
pub const TDX_CMD_EXTEND_RTMR: u32 = ior(3, size_of::<TdxExtendRtmrReq>());

/// [`TDX_CMD_EXTEND_RTMR`] with the number of the later TDX 1.5 driver outside of Linux's tree.
pub const TDX_CMD_EXTEND_RTMR_IOW: u32 = iow(3, size_of::<TdxExtendRtmrReq>());

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

/// `struct tdx_quote_req`: the argument of [`TDX_CMD_GET_QUOTE`] and the others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TdxQuoteReq {
    /// The address of a [`TdxQuoteHdr`] with the data behind it.
    pub buf: u64,
    /// The length of both, in bytes, with room for the answer. A Quote with its certificates has about 5 KiB.
    pub len: u64,
}

/// `struct tdx_quote_hdr`: what precedes the data, between a program and the driver, and between a TD and its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TdxQuoteHdr {
    /// In: the version, 1.
    pub version: u64,
    /// Out: the host's word, a [`QuoteStatus`](crate::QuoteStatus).
    pub status: u64,
    /// In: the length of the request's data, in bytes.
    pub in_len: u32,
    /// Out: the length of the answer's data, in bytes.
    pub out_len: u32,
}

/// `struct tdx_verifyreport_req`: the argument of [`TDX_CMD_VERIFYREPORT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TdxVerifyReportReq {
    /// The address of a REPORTMACSTRUCT, the first 256 bytes of a TDREPORT.
    pub reportmac: u64,
    /// Its length: 256.
    pub rpm_len: u32,
    /// Padding, ignored; the driver does not read it.
    pub padding: u32,
}

/// `struct tdx_extend_rtmr_req`: the argument of [`TDX_CMD_EXTEND_RTMR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TdxExtendRtmrReq {
    /// What the register is extended with, typically the SHA-384 of what is measured.
    pub data: [u8; DIGEST_LEN],
    /// The register's index, 0 to 3.
    pub index: u8,
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
    assert!(TDX_CMD_GET_QUOTE == 0x8010_5402);
    assert!(TDX_1_0_CMD_GET_QUOTE == 0x8008_5402);
    assert!(TDX_1_5_CMD_GET_QUOTE == 0x8010_5404);
    assert!(TDX_1_5_CMD_GET_QUOTE_IOWR == 0xc010_5404);
    assert!(TDX_CMD_GET_QUOTE_IOWR == 0xc010_5402);
    assert!(size_of::<TdxQuoteReq>() == 16);
    assert!(size_of::<TdxQuoteHdr>() == 24);
    assert!(offset_of!(TdxQuoteHdr, status) == 8);
    assert!(offset_of!(TdxQuoteHdr, out_len) == 20);
    assert!(TDX_CMD_VERIFYREPORT == 0x8008_5403);
    assert!(offset_of!(TdxVerifyReportReq, rpm_len) == 8);
    assert!(TDX_CMD_EXTEND_RTMR == 0x8031_5403);
    assert!(TDX_CMD_EXTEND_RTMR_IOW == 0x4031_5403);
    assert!(size_of::<TdxExtendRtmrReq>() == 49);
    assert!(offset_of!(TdxExtendRtmrReq, index) == 48);
};
