// SPDX-License-Identifier: GPL-2.0-only
/*
 * The structures that tsm.rs declares are those of the kernel that the driver
 * is compiled for. There is no code here.
 */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/tsm.h>

static_assert(TSM_REPORT_INBLOB_MAX == 64);
static_assert(offsetof(struct tsm_report_desc, inblob_len) == 8);
static_assert(offsetof(struct tsm_report_desc, inblob) == 16);
static_assert(sizeof(struct tsm_report_desc) == 112);
static_assert(offsetof(struct tsm_report, outblob_len) == 112);
static_assert(offsetof(struct tsm_report, outblob) == 120);
static_assert(sizeof(struct tsm_report) == 160);

static_assert(offsetof(struct tsm_report_ops, name) == 0);
static_assert(offsetof(struct tsm_report_ops, privlevel_floor) == 8);
static_assert(offsetof(struct tsm_report_ops, report_new) == 16);
static_assert(offsetof(struct tsm_report_ops, report_attr_visible) == 24);
static_assert(offsetof(struct tsm_report_ops, report_bin_attr_visible) == 32);
static_assert(sizeof(struct tsm_report_ops) == 40);

static_assert(TSM_REPORT_GENERATION == 0);
static_assert(TSM_REPORT_PROVIDER == 1);
static_assert(TSM_REPORT_INBLOB == 0);
static_assert(TSM_REPORT_OUTBLOB == 1);
