/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A measured boot in C: links the static library, measures, and compares the registers with those that the log leads to.
 *
 * The TDX module is a function here, because TDCALL needs a TD; firmware leaves `tdcall` null.
 */
#include <stdio.h>
#include <string.h>

#include "tdx-firmware.h"

#define CHECK(condition)                                                        \
	do {                                                                    \
		if (!(condition)) {                                             \
			printf("line %d: %s does not hold\n", __LINE__, #condition); \
			return 1;                                               \
		}                                                               \
	} while (0)

static struct tdx_measurement measurement;
static uint8_t log_area[8192];

/* Digests in the order in which the library extended with them. */
static struct { uint64_t rtmr; uint8_t digest[48]; } extended[64];
static unsigned extensions;

/* TDG.MR.RTMR.EXTEND, leaf 2: RCX has the address of the digest, RDX the register. */
static void tdcall(struct tdx_registers *registers)
{
	if (registers->rax != 2 || registers->rdx > 3 || registers->rcx % 64 || extensions == 64) {
		registers->rax = 0xc000010000000000ULL;
		return;
	}
	extended[extensions].rtmr = registers->rdx;
	memcpy(extended[extensions].digest, (const void *)(uintptr_t)registers->rcx, 48);
	extensions++;
	registers->rax = 0;
}

static uint32_t u32(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Whether the log's events are the extensions, in order. */
static int log_explains_extensions(void)
{
	const uint8_t *start;
	size_t used, at;
	unsigned count = 0;
	bool truncated;

	CHECK(tdx_log(&measurement, &start, &used, &truncated) == TDX_LOGGED && !truncated);
	for (at = 32 + u32(start + 28); at < used; count++) {
		CHECK(count < extensions && u32(start + at) == extended[count].rtmr + 1);
		CHECK(!memcmp(start + at + 14, extended[count].digest, 48));
		at += 66 + u32(start + at + 62);
	}
	CHECK(at == used && count == extensions);
	return 0;
}

int main(void)
{
	static const uint8_t command_line[] = "c\0o\0n\0s\0o\0l\0e\0";
	static const uint16_t boot_order[] = { 'B', 'o', 'o', 't', 'O', 'r', 'd', 'e', 'r' };
	static const uint8_t separator[48] = {
		0x39, 0x43, 0x41, 0xb7, 0x18, 0x2c, 0xd2, 0x27, 0xc5, 0xc6, 0xb0, 0x7e,
		0xf8, 0x00, 0x0c, 0xdf, 0xd8, 0x61, 0x36, 0xc4, 0x29, 0x2b, 0x8e, 0x57,
		0x65, 0x73, 0xad, 0x7e, 0xd9, 0xae, 0x41, 0x01, 0x9f, 0x58, 0x18, 0xb4,
		0xb9, 0x71, 0xc9, 0xef, 0xfc, 0x60, 0xe1, 0xad, 0x9f, 0x12, 0x89, 0xf0,
	};
	struct tdx_config config = { .log_area = log_area, .log_area_len = sizeof(log_area), .tdcall = tdcall };
	uint8_t digest[48], ccel[56], event[18 + 4] = { 22, 0, 0, 0, 14, 0, 0, 0, 1, 0, 3, 0, 0, 0, 13, 0, 0, 0, 'b', 'o', 'o', 't' };
	unsigned variable, sum = 0, i;

	config.log_area_len = 64;
	CHECK(tdx_measurement_init(&measurement, &config) == TDX_NO_ROOM);
	config.log_area_len = sizeof(log_area);
	CHECK(tdx_measurement_resume(&measurement, &config, false) == TDX_NO_LOG);
	CHECK(tdx_measurement_init(NULL, &config) == TDX_INVALID);
	CHECK(tdx_measurement_init(&measurement, &config) == TDX_LOGGED);

	CHECK(tdx_measure_td_hob(&measurement, separator, 8, 0x809000) == TDX_LOGGED);
	CHECK(tdx_measure_cfv(&measurement, separator, 48, NULL, 0xffc00000) == TDX_LOGGED);
	for (variable = 0; variable < 5; variable++)
		CHECK(tdx_measure_secure_boot_variable(&measurement, variable, NULL, 0) == TDX_LOGGED);
	CHECK(tdx_measure_secure_boot_variable(&measurement, 5, separator, 48) == TDX_LOGGED);
	CHECK(tdx_measure_secure_boot_variable(&measurement, 6, NULL, 0) == TDX_INVALID);
	CHECK(tdx_measure_separator(&measurement, 0) == TDX_LOGGED);
	CHECK(tdx_measure_separator(&measurement, 4) == TDX_INVALID);
	CHECK(!memcmp(extended[8].digest, separator, 48));
	CHECK(tdx_measure_acpi_blob(&measurement, separator, 4) == TDX_LOGGED);
	CHECK(tdx_measure_boot_variable(&measurement, boot_order, 9, separator, 2) == TDX_LOGGED);
	CHECK(tdx_measure_action(&measurement, (const uint8_t *)"action", 6) == TDX_LOGGED);
	CHECK(tdx_measure_application(&measurement, separator, 0, 0, 0, NULL, 0) == TDX_LOGGED);
	CHECK(tdx_measure_load_options(&measurement, command_line, sizeof(command_line)) == TDX_LOGGED);
	CHECK(tdx_measure_initrd(&measurement, separator, 48) == TDX_LOGGED);
	CHECK(tdx_record(&measurement, 3, 5, separator, (const uint8_t *)"mine", 4) == TDX_LOGGED);
	CHECK(tdx_record(&measurement, 3, 5, NULL, NULL, 0) == TDX_INVALID);
	CHECK(tdx_hash_log_extend_event(&measurement, 0, (const uint8_t *)"\0\0\0\0", 4, event, NULL) == 0);
	CHECK(!memcmp(extended[extensions - 1].digest, separator, 48));
	CHECK(tdx_hash_log_extend_event(&measurement, 2, NULL, 0, event, NULL) == 0x8000000000000002ULL);
	CHECK(tdx_measure_exit_boot_services(&measurement, true) == TDX_LOGGED);

	CHECK(tdx_sha384(&measurement, (const uint8_t *)"\0\0\0\0", 4, digest) == TDX_LOGGED);
	CHECK(!memcmp(digest, separator, 48));
	if (log_explains_extensions())
		return 1;

	CHECK(tdx_ccel((uintptr_t)log_area, sizeof(log_area), (const uint8_t *)"OEM   ", (const uint8_t *)"TABLE   ", ccel) == TDX_LOGGED);
	for (i = 0; i < sizeof(ccel); i++)
		sum += ccel[i];
	CHECK(sum % 256 == 0 && !memcmp(ccel, "CCEL", 4));

	/* A later phase goes on with the log. */
	CHECK(tdx_measurement_resume(&measurement, &config, false) == TDX_LOGGED);
	CHECK(tdx_measure_separator(&measurement, 1) == TDX_LOGGED);
	if (log_explains_extensions())
		return 1;
	printf("%u extensions, and the log explains them\n", extensions);
	return 0;
}
