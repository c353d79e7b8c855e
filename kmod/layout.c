// SPDX-License-Identifier: GPL-2.0-only
/*
 * The structures that cpu.rs, tsm.rs and tsm_mr.rs declare are those of the
 * kernel that the driver is compiled for. There is no code here.
 */
#include <linux/build_bug.h>
#include <linux/mod_devicetable.h>
#include <linux/stddef.h>
#include <linux/tsm-mr.h>
#include <linux/tsm.h>
#include <asm/cpu_device_id.h>
#include <asm/cpufeatures.h>

static_assert(offsetof(struct x86_cpu_id, vendor) == 0);
static_assert(offsetof(struct x86_cpu_id, family) == 2);
static_assert(offsetof(struct x86_cpu_id, model) == 4);
static_assert(offsetof(struct x86_cpu_id, steppings) == 6);
static_assert(offsetof(struct x86_cpu_id, feature) == 8);
static_assert(offsetof(struct x86_cpu_id, flags) == 10);
static_assert(offsetof(struct x86_cpu_id, platform_mask) == 12);
static_assert(offsetof(struct x86_cpu_id, type) == 13);
static_assert(offsetof(struct x86_cpu_id, driver_data) == 16);
static_assert(sizeof(struct x86_cpu_id) == 24);
static_assert(X86_VENDOR_ANY == 0xffff);
static_assert(X86_FAMILY_ANY == 0);
static_assert(X86_MODEL_ANY == 0);
static_assert(X86_STEPPING_ANY == 0);
static_assert(X86_PLATFORM_ANY == 0);
static_assert(X86_CPU_TYPE_ANY == 0);
static_assert(X86_CPU_ID_FLAG_ENTRY_VALID == 1);

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

static_assert(offsetof(struct tsm_measurement_register, mr_name) == 0);
static_assert(offsetof(struct tsm_measurement_register, mr_value) == 8);
static_assert(offsetof(struct tsm_measurement_register, mr_size) == 16);
static_assert(offsetof(struct tsm_measurement_register, mr_flags) == 20);
static_assert(offsetof(struct tsm_measurement_register, mr_hash) == 24);
static_assert(sizeof(struct tsm_measurement_register) == 32);

static_assert(offsetof(struct tsm_measurements, mrs) == 0);
static_assert(offsetof(struct tsm_measurements, nr_mrs) == 8);
static_assert(offsetof(struct tsm_measurements, refresh) == 16);
static_assert(offsetof(struct tsm_measurements, write) == 24);
static_assert(sizeof(struct tsm_measurements) == 32);

static_assert(HASH_ALGO_SHA384 == 5);
static_assert(TSM_MR_F_NOHASH == 1);
static_assert(TSM_MR_F_WRITABLE == 2);
static_assert(TSM_MR_F_READABLE == 4);
static_assert(TSM_MR_F_LIVE == 8);
