// SPDX-License-Identifier: GPL-2.0-only

//! Whether the CPU runs a TD: for the driver and, through the module's alias, for udev.
//!
//! C header: `arch/x86/include/asm/cpu_device_id.h`

use kernel::{
    bindings,
    device_id::{
        IdArray,
        IdTable,
        RawDeviceId, //
    },
    prelude::*, //
};
use tdx_call::Instruction;

/// A kind of CPU, as `struct x86_cpu_id` has it.
#[repr(transparent)]
struct CpuId(bindings::x86_cpu_id);

// SAFETY: `CpuId` is a transparent wrapper of its `RawType`.
unsafe impl RawDeviceId for CpuId {
    type RawType = bindings::x86_cpu_id;
}

impl CpuId {
    /// C's `X86_CPU_ID_FLAG_ENTRY_VALID`: tells an entry from the end of the table.
    const ENTRY_VALID: u16 = 1 << 0;

    /// Any CPU that has `feature`, like C's `X86_MATCH_FEATURE`.
    const fn with_feature(feature: u32) -> Self {
        Self(bindings::x86_cpu_id {
            vendor: bindings::X86_VENDOR_ANY as u16,
            family: bindings::X86_FAMILY_ANY as u16,
            model: bindings::X86_MODEL_ANY as u16,
            steppings: bindings::X86_STEPPING_ANY as u16,
            feature: feature as u16,
            flags: Self::ENTRY_VALID,
            platform_mask: 0,
            type_: bindings::X86_CPU_TYPE_ANY as u8,
            driver_data: 0,
        })
    }
}

/// The CPUs that the driver is for: those that run a TD.
static TABLE: IdArray<CpuId, (), 1> =
    IdArray::new_without_index([(CpuId::with_feature(bindings::X86_FEATURE_TDX_GUEST), ())]);

kernel::module_device_table!("x86cpu", MODULE_TABLE, TABLE);

extern "C" {
    /// Returns the first entry of `table` that the CPU matches, or NULL.
    fn x86_match_cpu(table: *const bindings::x86_cpu_id) -> *const bindings::x86_cpu_id;
}

/// The TDCALL instruction, where there is one.
///
/// # Errors
///
/// `ENODEV` outside of a TD.
pub(crate) fn td() -> Result<Instruction> {
    // SAFETY: The function reads `table` up to an entry that is not marked `ENTRY_VALID`. There is
    // one: an `IdArray` begins with its raw entries, and zeros after them.
    let found = unsafe { x86_match_cpu(TABLE.as_ptr()) };
    if found.is_null() {
        return Err(ENODEV);
    }
    // SAFETY: The kernel sets the feature after CPUID leaf 21h has said "IntelTDX    "
    // (`tdx_early_init()`), and kernel code of x86-64 runs at privilege level 0 in 64-bit mode.
    Ok(unsafe { Instruction::assume_td() })
}
