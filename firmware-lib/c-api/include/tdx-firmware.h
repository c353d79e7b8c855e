/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Measured boot of a TD, for firmware in C. Made by cbindgen from firmware-lib/c-api; do not edit.
 */

#ifndef TDX_FIRMWARE_H
#define TDX_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(_MSC_VER)
#define TDX_ALIGNED(n) __declspec(align(n))
#else
#define TDX_ALIGNED(n) __attribute__((aligned(n)))
#endif


/*
 How many bytes a `tdx_hash_engine` has for the state of a hash, aligned to 64.
 */
#define TDX_HASH_STATE_LEN 512

/*
 What became of a call.
 */
enum tdx_result {
  /*
   The register was extended, and the event is in the log.
   */
  TDX_LOGGED = 0,
  /*
   The register was extended, but the log had no room for this event or an earlier one.
   */
  TDX_TRUNCATED = 1,
  /*
   An argument is not valid; nothing was done.
   */
  TDX_INVALID = 2,
  /*
   The log's area is too small for its header; nothing was done.
   */
  TDX_NO_ROOM = 3,
  /*
   There is no log in the area to go on with, or it is broken; nothing was done.
   */
  TDX_NO_LOG = 4,
  /*
   The TDX module refused to extend; neither register nor log were changed by that event.
   */
  TDX_REFUSED = 5,
};

/*
 Registers, hash engine and log, to measure with. Made by `tdx_measurement_init`; then its address must not change, and
 nobody but these functions touches it.
 */
struct TDX_ALIGNED(64) tdx_measurement {
  /*
   Where TDG.MR.RTMR.EXTEND reads.
   */
  uint8_t extend_buffer[64];
  uint64_t state[40];
};

/*
 SHA-384 of the firmware's own. None of the three functions is null; they are called with a state of `TDX_HASH_STATE_LEN`
 bytes, aligned to 64, which may be moved in memory between two calls.
 */
struct tdx_hash_engine {
  /*
   Begins a hash in a state of zeros.
   */
  void (*init)(void *state);
  /*
   Adds bytes.
   */
  void (*update)(void *state, const uint8_t *bytes, uintptr_t len);
  /*
   Writes the 48 bytes of the hash.
   */
  void (*finish)(void *state, uint8_t *digest);
};

/*
 The registers of a TDCALL that TDG.MR.RTMR.EXTEND uses.
 */
struct tdx_registers {
  /*
   The leaf, then the completion status.
   */
  uint64_t rax;
  /*
   Operand.
   */
  uint64_t rcx;
  /*
   Operand.
   */
  uint64_t rdx;
  /*
   Operand.
   */
  uint64_t r8;
};

/*
 What to measure with.
 */
struct tdx_config {
  /*
   The log's area, private memory of the TD's. TDVF's has 65536 bytes.
   */
  uint8_t *log_area;
  /*
   How many bytes it has.
   */
  uintptr_t log_area_len;
  /*
   What is to be added to an address of the program, modulo 2⁶⁴, to get a guest physical address: 0 where memory is
   mapped one to one.
   */
  uint64_t gpa_offset;
  /*
   Where SHA-384 comes from; null for the library's own.
   */
  const struct tdx_hash_engine *engine;
  /*
   Calls the TDX module in place of the instruction TDCALL, for tests; null in firmware.
   */
  void (*tdcall)(struct tdx_registers *registers);
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Makes a measurement, with a log that begins in the area.

 # Safety

 All of this holds from now on until the measurement is used for the last time:
 - `measurement` points to a structure that nobody else accesses;
 - the log's area is memory that nobody else writes, and nobody reads during a call;
 - adding the offset to the address of `measurement` gives its guest physical address;
 - the functions of the engine do what their documentation says;
 - without a `tdcall`, this runs in a TD at privilege level 0; with one, it does what the instruction does.
 */
enum tdx_result tdx_measurement_init(struct tdx_measurement *measurement, const struct tdx_config *config);

/*
 Makes a measurement that goes on with the log that an earlier phase of the boot left in the area. `truncated` says
 whether that phase had an event without room.

 # Safety

 As of `tdx_measurement_init`.
 */
enum tdx_result tdx_measurement_resume(struct tdx_measurement *measurement,
                                       const struct tdx_config *config,
                                       bool truncated);

/*
 The SHA-384 of `len` bytes. Waits for no other CPU.

 # Safety

 `measurement` was made; `bytes` points to `len` bytes, `digest` to 48 that may be written.
 */
enum tdx_result tdx_sha384(struct tdx_measurement *measurement,
                           const uint8_t *bytes,
                           uintptr_t len,
                           uint8_t *digest);

/*
 Extends RTMR`rtmr`, 0 to 3, with a digest of 48 bytes, and writes an event with these `len` bytes of data.

 # Safety

 `measurement` was made; `digest` points to 48 bytes, `data` to `len`.
 */
enum tdx_result tdx_record(struct tdx_measurement *measurement,
                           uint32_t rtmr,
                           uint32_t event_type,
                           const uint8_t *digest,
                           const uint8_t *data,
                           uintptr_t len);

/*
 Where the log is, how many bytes of its area are used, and whether events are missing because they had no room.
 Each of the three may be null.

 # Safety

 `measurement` was made; what is not null may be written.
 */
enum tdx_result tdx_log(struct tdx_measurement *measurement,
                        const uint8_t **start,
                        uintptr_t *used,
                        bool *truncated);

/*
 Measures the TD HOB to RTMR0: `len` bytes at `hobs`, the list without the HOB that ends it. `address` is that of the
 list, for the log.

 # Safety

 `measurement` was made; `hobs` points to `len` bytes.
 */
enum tdx_result tdx_measure_td_hob(struct tdx_measurement *measurement,
                                   const uint8_t *hobs,
                                   uintptr_t len,
                                   uint64_t address);

/*
 Measures the configuration firmware volume to RTMR0. `guid` is null, or the 16 bytes of the volume's GUID; `base` is the
 address for the log.

 # Safety

 `measurement` was made; `volume` points to `len` bytes, `guid` to 16 unless it is null.
 */
enum tdx_result tdx_measure_cfv(struct tdx_measurement *measurement,
                                const uint8_t *volume,
                                uintptr_t len,
                                const uint8_t *guid,
                                uint64_t base);

/*
 Measures a file of QEMU's fw_cfg to RTMR0, as recent edk2 does. `name` has `name_len` bytes of UTF-8, without a zero.

 # Safety

 `measurement` was made; `name` points to `name_len` bytes, `contents` to `len`.
 */
enum tdx_result tdx_measure_fw_cfg(struct tdx_measurement *measurement,
                                   const uint8_t *name,
                                   uintptr_t name_len,
                                   const uint8_t *contents,
                                   uintptr_t len);

/*
 Measures a variable of secure boot to RTMR0: `variable` is 0 for SecureBoot, 1 for PK, 2 for KEK, 3 for db, 4 for dbx. These
 five are measured in this order; one that does not exist with a length of 0. 5 is dbt, which is measured behind them only
 where it exists.

 # Safety

 `measurement` was made; `contents` points to `len` bytes.
 */
enum tdx_result tdx_measure_secure_boot_variable(struct tdx_measurement *measurement,
                                                 uint32_t variable,
                                                 const uint8_t *contents,
                                                 uintptr_t len);

/*
 Measures what let an image pass, an entry of db, to RTMR0. `guid` has 16 bytes, `name` has `name_len` characters.

 # Safety

 `measurement` was made; `guid` points to 16 bytes, `name` to `name_len` characters, `contents` to `len` bytes.
 */
enum tdx_result tdx_measure_authority(struct tdx_measurement *measurement,
                                      const uint8_t *guid,
                                      const uint16_t *name,
                                      uintptr_t name_len,
                                      const uint8_t *contents,
                                      uintptr_t len);

/*
 Measures a variable that says what to boot, BootOrder or Boot0000, to RTMR0. `name` has `name_len` characters.

 # Safety

 `measurement` was made; `name` points to `name_len` characters, `contents` to `len` bytes.
 */
enum tdx_result tdx_measure_boot_variable(struct tdx_measurement *measurement,
                                          const uint16_t *name,
                                          uintptr_t name_len,
                                          const uint8_t *contents,
                                          uintptr_t len);

/*
 Measures a blob from which ACPI tables are made to RTMR0.

 # Safety

 `measurement` was made; `blob` points to `len` bytes.
 */
enum tdx_result tdx_measure_acpi_blob(struct tdx_measurement *measurement,
                                      const uint8_t *blob,
                                      uintptr_t len);

/*
 Measures the end of a phase to RTMR`rtmr`: 0 behind the variables of secure boot, 1 before the first boot option.

 # Safety

 `measurement` was made.
 */
enum tdx_result tdx_measure_separator(struct tdx_measurement *measurement,
                                      uint32_t rtmr);

/*
 Measures what the firmware does to RTMR1: a string of `len` characters, without a zero.

 # Safety

 `measurement` was made; `action` points to `len` bytes.
 */
enum tdx_result tdx_measure_action(struct tdx_measurement *measurement, const uint8_t *action, uintptr_t len);

/*
 Measures a program that is booted, such as a kernel, to RTMR1. `authenticode` has the 48 bytes of the Authenticode SHA-384
 of its PE image; the rest is for the log: where it is in memory, its length, where it was linked to, and the device path
 that it came from, of `path_len` bytes.

 # Safety

 `measurement` was made; `authenticode` points to 48 bytes, `path` to `path_len`.
 */
enum tdx_result tdx_measure_application(struct tdx_measurement *measurement,
                                        const uint8_t *authenticode,
                                        uint64_t location,
                                        uint64_t len,
                                        uint64_t link_time_address,
                                        const uint8_t *path,
                                        uintptr_t path_len);

/*
 Measures the load options that a kernel is given, its command line in UCS-2, to RTMR2, as Linux's EFI stub does.

 # Safety

 `measurement` was made; `bytes` points to `len` bytes.
 */
enum tdx_result tdx_measure_load_options(struct tdx_measurement *measurement,
                                         const uint8_t *bytes,
                                         uintptr_t len);

/*
 Measures an initrd to RTMR2, as Linux's EFI stub does.

 # Safety

 `measurement` was made; `bytes` points to `len` bytes.
 */
enum tdx_result tdx_measure_initrd(struct tdx_measurement *measurement, const uint8_t *bytes, uintptr_t len);

/*
 Measures the partition table of the disk that is booted from to RTMR1: the header, and as many entries as it says.

 # Safety

 `measurement` was made; `header` points to `header_len` bytes, `entries` to `entries_len`.
 */
enum tdx_result tdx_measure_gpt(struct tdx_measurement *measurement,
                                const uint8_t *header,
                                uintptr_t header_len,
                                const uint8_t *entries,
                                uintptr_t entries_len);

/*
 Measures to RTMR1 that the payload ended boot services, as two events, or that it could not, as one. `TDX_REFUSED` may come
 after the first of the two; `tdx_measure_action` measures either by itself.

 # Safety

 `measurement` was made.
 */
enum tdx_result tdx_measure_exit_boot_services(struct tdx_measurement *measurement,
                                               bool success);

/*
 `HashLogExtendEvent` of `EFI_CC_MEASUREMENT_PROTOCOL`, and its `EFI_STATUS`.

 `event` is the caller's `EFI_CC_EVENT`. Where the flags say that the data is a PE image, `authenticode` is the SHA-384 of
 it that the firmware computed, or null where it could not.

 # Safety

 `measurement` was made; `data` points to `len` bytes, `event` to as many as its first field says, `authenticode` to 48
 unless it is null.
 */
uint64_t tdx_hash_log_extend_event(struct tdx_measurement *measurement,
                                   uint64_t flags,
                                   const uint8_t *data,
                                   uintptr_t len,
                                   const uint8_t *event,
                                   const uint8_t *authenticode);

/*
 Writes the 56 bytes of a CCEL table for a log whose area is at this guest physical address. `oem_id` has 6 bytes,
 `oem_table_id` has 8.

 # Safety

 The pointers are to as many bytes as this says, and `table` to 56 that may be written.
 */
enum tdx_result tdx_ccel(uint64_t area_start,
                         uint64_t area_len,
                         const uint8_t *oem_id,
                         const uint8_t *oem_table_id,
                         uint8_t *table);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TDX_FIRMWARE_H */
