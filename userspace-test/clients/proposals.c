// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * What the selftests of three proposals for Linux do, with the numbers and
 * structures of the header of this project:
 *
 * - "Add TDX Guest Attestation support", September 2022 (Message-Id
 *   20220909192708.1113126-1-sathyanarayanan.kuppuswamy@linux.intel.com):
 *   GET_REPORT, with pointers, on /dev/tdx-guest;
 * - "TDX Guest Quote generation support", May 2023 (Message-Id
 *   cover.1684048511.git.sathyanarayanan.kuppuswamy@linux.intel.com):
 *   GET_QUOTE of a TDREPORT, in a buffer of 8 KiB, on /dev/tdx_guest;
 * - the driver for TDX 1.0 that the authors of both kept outside of Linux's
 *   tree: GET_QUOTE and VERIFYREPORT on /dev/tdx-guest.
 *
 * Prints a line for each in the form of the Test Anything Protocol.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/tdx-guest.h>

/* What the proposals leave for the Quote. */
#define QUOTE_SIZE 8192

/* Where a TDREPORT has its REPORTDATA. */
#define REPORTDATA_AT 128

struct quote_buf {
	struct tdx_quote_hdr hdr;
	__u8 data[QUOTE_SIZE];
};

static __u8 reportdata[TDX_REPORTDATA_LEN];
static int failed;

static int report_of_2022(int fd, __u8 *report)
{
	struct tdx_1_0_report_req req = {
		.subtype = 0,
		.reportdata = (__u64)reportdata,
		.rpd_len = TDX_REPORTDATA_LEN,
		.tdreport = (__u64)report,
		.tdr_len = TDX_REPORT_LEN,
	};

	return ioctl(fd, TDX_1_0_CMD_GET_REPORT, &req);
}

static int report_of_linux(int fd, __u8 *report)
{
	struct tdx_report_req req = { 0 };

	memcpy(req.reportdata, reportdata, sizeof(reportdata));
	if (ioctl(fd, TDX_CMD_GET_REPORT0, &req))
		return -1;
	memcpy(report, req.tdreport, sizeof(req.tdreport));
	return 0;
}

static int carries_reportdata(const __u8 *report)
{
	return !memcmp(report + REPORTDATA_AT, reportdata, sizeof(reportdata));
}

/* The status is the host's, and the data a Quote: longer than a TDREPORT. */
static int quote(int fd, unsigned long cmd, const __u8 *report)
{
	struct quote_buf *buf = calloc(1, sizeof(*buf));
	struct tdx_quote_req req = { .buf = (__u64)buf, .len = sizeof(*buf) };
	int done;

	if (!buf)
		return 0;
	buf->hdr.version = 1;
	buf->hdr.status = TDX_QUOTE_SUCCESS;
	buf->hdr.in_len = TDX_REPORT_LEN;
	memcpy(buf->data, report, TDX_REPORT_LEN);
	done = !ioctl(fd, cmd, &req) && buf->hdr.status == TDX_QUOTE_SUCCESS &&
	       buf->hdr.out_len > TDX_REPORT_LEN &&
	       buf->hdr.out_len <= QUOTE_SIZE;
	free(buf);
	return done;
}

static int verify(int fd, const __u8 *report)
{
	struct tdx_verifyreport_req req = {
		.reportmac = (__u64)report,
		.rpm_len = TDX_REPORTMACSTRUCT_LEN,
	};

	return ioctl(fd, TDX_CMD_VERIFYREPORT, &req);
}

static void say(int number, const char *what, int passed)
{
	if (passed) {
		printf("ok %d %s\n", number, what);
		return;
	}
	printf("not ok %d %s # %s\n", number, what, strerror(errno));
	failed = 1;
}

int main(void)
{
	__u8 report[TDX_REPORT_LEN] = { 0 };
	int fd, i;

	for (i = 0; i < TDX_REPORTDATA_LEN; i++)
		reportdata[i] = i;
	printf("1..5\n");

	fd = open("/dev/tdx-guest", O_RDWR | O_SYNC);
	say(1, "GET_REPORT as proposed in 2022",
	    fd >= 0 && !report_of_2022(fd, report) && carries_reportdata(report));
	say(2, "GET_QUOTE of the driver for TDX 1.0",
	    quote(fd, TDX_1_0_CMD_GET_QUOTE, report));
	say(3, "VERIFYREPORT of the driver for TDX 1.0", !verify(fd, report));
	close(fd);

	memset(report, 0, sizeof(report));
	fd = open("/dev/tdx_guest", O_RDWR | O_SYNC);
	say(4, "GET_REPORT0 of Linux",
	    fd >= 0 && !report_of_linux(fd, report) && carries_reportdata(report));
	say(5, "GET_QUOTE as proposed in 2023",
	    quote(fd, TDX_CMD_GET_QUOTE, report));
	close(fd);
	return failed;
}
