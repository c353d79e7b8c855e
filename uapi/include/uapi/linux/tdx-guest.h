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

#endif /* _UAPI_LINUX_TDX_GUEST_H_ */
