/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Userspace interface of the TDX guest driver: /dev/tdx-guest and
 * /dev/tdx_guest.
 *
 * A superset of the header of the same name in Linux. The Rust twin is the
 * module `ioctl` of the crate tdx-uapi; a test compares the two.
 */
#ifndef _UAPI_LINUX_TDX_GUEST_H_
#define _UAPI_LINUX_TDX_GUEST_H_

#include <linux/ioctl.h>
#include <linux/types.h>

/* Length in bytes of the REPORTDATA that goes into a TDREPORT */
#define TDX_REPORTDATA_LEN	64

/* Length in bytes of a TDREPORT */
#define TDX_REPORT_LEN		1024

/**
 * struct tdx_report_req - argument of TDX_CMD_GET_REPORT
 * @reportdata: in: REPORTDATA, what the requester wants in the report,
 *              typically a nonce or the hash of a public key
 * @tdreport: out: the TDREPORT, as TDCALL[TDG.MR.REPORT] made it
 */
struct tdx_report_req {
	__u8 reportdata[TDX_REPORTDATA_LEN];
	__u8 tdreport[TDX_REPORT_LEN];
};

/*
 * TDX_CMD_GET_REPORT - get a TDREPORT of subtype 0
 *
 * Returns 0, or -1 with errno: EFAULT (the request cannot be read or
 * written), EINTR (a signal came while the TDX module was busy), ENOMEM, EIO
 * (the TDX module refused, or stayed busy; the kernel log says with which
 * status). Unless EFAULT came of writing it, @tdreport is then as it was.
 */
#define TDX_CMD_GET_REPORT	_IOWR('T', 1, struct tdx_report_req)

/* The name in Linux's header */
#define TDX_CMD_GET_REPORT0	TDX_CMD_GET_REPORT

/**
 * struct tdx_1_0_report_req - what the argument of TDX_1_0_CMD_GET_REPORT points to
 * @subtype: subtype of the report: 0
 * @reportdata: address of the REPORTDATA
 * @rpd_len: length of the REPORTDATA: TDX_REPORTDATA_LEN
 * @tdreport: address where the TDREPORT is written
 * @tdr_len: length of the TDREPORT: TDX_REPORT_LEN
 */
struct tdx_1_0_report_req {
	__u8 subtype;
	__u8 padding0[7];
	__u64 reportdata;
	__u32 rpd_len;
	__u32 padding1;
	__u64 tdreport;
	__u32 tdr_len;
	__u32 padding2;
};

/*
 * TDX_1_0_CMD_GET_REPORT - get a TDREPORT, in the form of the TDX 1.0 driver
 *
 * The argument is the address of a struct tdx_1_0_report_req, although the
 * number says eight bytes. Fails as TDX_CMD_GET_REPORT does, with EINVAL for a
 * subtype or a length other than documented, and with ENOTTY for 32-bit
 * programs: the header of TDX 1.0 leaves the padding to the compiler, which
 * makes it another structure there.
 */
#define TDX_1_0_CMD_GET_REPORT	_IOWR('T', 1, __u64)

/* Statuses of a request for a Quote, in tdx_quote_hdr.status */
#define TDX_QUOTE_SUCCESS		0ULL
#define TDX_QUOTE_IN_FLIGHT		0xffffffffffffffffULL
#define TDX_QUOTE_ERROR			0x8000000000000000ULL
#define TDX_QUOTE_SERVICE_UNAVAILABLE	0x8000000000000001ULL

/**
 * struct tdx_quote_hdr - what precedes the data of a request for a Quote
 * @version: in: version, 1
 * @status: out: the host's word, TDX_QUOTE_SUCCESS and so on
 * @in_len: in: length in bytes of the data: a TDREPORT, or a message to a quote
 *          generation service (QGS) with its length before it
 * @out_len: out: length in bytes of the data: a Quote, or a message
 *
 * The data follows. The answer takes the place of the request.
 */
struct tdx_quote_hdr {
	__u64 version;
	__u64 status;
	__u32 in_len;
	__u32 out_len;
};

/**
 * struct tdx_quote_req - argument of TDX_CMD_GET_QUOTE
 * @buf: address of a struct tdx_quote_hdr with the data behind it
 * @len: length in bytes of both, with room for the answer
 */
struct tdx_quote_req {
	__u64 buf;
	__u64 len;
};

/*
 * TDX_CMD_GET_QUOTE - get a Quote for a TDREPORT
 *
 * Returns 0 when the host has answered: tdx_quote_hdr.status says what, and
 * there is data with TDX_QUOTE_SUCCESS only. Otherwise -1 with errno, and the
 * buffer is as it was, except after EFAULT:
 *
 * EINVAL (the version is not 1, there is no data or more than the buffer or 128
 * KiB have room for, or it is neither a TDREPORT nor a QGS message), EFAULT,
 * EOPNOTSUPP (the host does not know GetQuote), EIO (the host or the TDX module
 * refused; the kernel log says with which status), EBADMSG (the answer is
 * something else than a Quote for the TDREPORT in the request), EFBIG (the
 * answer is longer than the buffer), ETIMEDOUT (no answer in the time that the
 * driver's parameter quote_timeout_ms allows), EINTR (a signal came first),
 * EBUSY (the host keeps all of the driver's buffers, with requests that it has
 * not answered), ENOMEM.
 *
 * The number is the one proposed for Linux in 2023.
 */
#define TDX_CMD_GET_QUOTE	_IOR('T', 2, struct tdx_quote_req)

/*
 * The same under the numbers of the TDX 1.0 driver (whose argument is the
 * address of a struct tdx_quote_req, although the number says eight bytes), of
 * the TDX 1.5 drivers outside of Linux's tree, and of go-tdx-guest.
 */
#define TDX_1_0_CMD_GET_QUOTE	_IOR('T', 2, __u64)
#define TDX_1_5_CMD_GET_QUOTE	_IOR('T', 4, struct tdx_quote_req)
#define TDX_1_5_CMD_GET_QUOTE_IOWR	_IOWR('T', 4, struct tdx_quote_req)
#define TDX_CMD_GET_QUOTE_IOWR	_IOWR('T', 2, struct tdx_quote_req)

/* Length in bytes of a REPORTMACSTRUCT */
#define TDX_REPORTMACSTRUCT_LEN	256

/**
 * struct tdx_verifyreport_req - what the argument of TDX_CMD_VERIFYREPORT points to
 * @reportmac: address of a REPORTMACSTRUCT, which a TDREPORT begins with
 * @rpm_len: its length: TDX_REPORTMACSTRUCT_LEN
 * @padding: not read
 */
struct tdx_verifyreport_req {
	__u64 reportmac;
	__u32 rpm_len;
	__u32 padding;
};

/*
 * TDX_CMD_VERIFYREPORT - ask whether a REPORTMACSTRUCT is of this platform
 *
 * The argument is the address of a struct tdx_verifyreport_req, although the
 * number says eight bytes. Returns 0 if it is, or -1 with errno: EBADMSG (its
 * MAC or structure does not hold: it is no report, or another platform's),
 * EKEYREJECTED (the platform does not have its CPUSVN), EINVAL (another length),
 * EFAULT, EINTR, ENOMEM, EOPNOTSUPP (the TDX module or the processor cannot
 * verify reports), EIO (the TDX module refused for another reason; the kernel
 * log says with which status).
 */
#define TDX_CMD_VERIFYREPORT	_IOR('T', 3, __u64)

/* Length in bytes of what an RTMR is extended with */
#define TDX_EXTEND_RTMR_DATA_LEN	48

/**
 * struct tdx_extend_rtmr_req - argument of TDX_CMD_EXTEND_RTMR
 * @data: what the register is extended with, typically the SHA-384 of what is
 *        measured
 * @index: the register's index, 0 to 3
 */
struct tdx_extend_rtmr_req {
	__u8 data[TDX_EXTEND_RTMR_DATA_LEN];
	__u8 index;
};

/*
 * TDX_CMD_EXTEND_RTMR - extend a runtime measurement register (RTMR)
 *
 * The register becomes SHA-384(register || @data). Needs a file that is open
 * for writing. Returns 0, or -1 with errno: EBADF (the file is not open for
 * writing), EFAULT, EINVAL (there is no RTMR of that index), EINTR (a signal
 * came while the TDX module was busy), ENOMEM, EIO (the TDX module refused, or
 * stayed busy; the kernel log says with which status). The register is then as
 * it was.
 *
 * The number is that of the first TDX 1.5 driver outside of Linux's tree.
 */
#define TDX_CMD_EXTEND_RTMR	_IOR('T', 3, struct tdx_extend_rtmr_req)

/* The same under the number of the later one */
#define TDX_CMD_EXTEND_RTMR_IOW	_IOW('T', 3, struct tdx_extend_rtmr_req)

#endif /* _UAPI_LINUX_TDX_GUEST_H_ */
