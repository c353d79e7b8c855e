// SPDX-License-Identifier: GPL-2.0-only

//! Whether the CPU runs a TD: for the driver and, through the module's alias, for udev.
//!
//! C header: `arch/x86/include/asm/cpu_device_id.h`

use kernel::{
    bindings,
    prelude::*, //
};
use tdx_call::Instruction;

/// A kind of CPU: C's `struct x86_cpu_id`, which the kernel's bindings do not have. `layout.c` checks that it is the same.
#[repr(C)]
struct CpuId {
    vendor: u16,
    family: u16,
    model: u16,
    steppings: u16,
    feature: u16,
    flags: u16,
    platform_mask: u8,
    type_: u8,
    driver_data: usize,
}

impl CpuId {
    /// C's `X86_VENDOR_ANY`.
    const VENDOR_ANY: u16 = 0xffff;

    /// C's `X86_CPU_ID_FLAG_ENTRY_VALID`: tells an entry from the end of the table.
    const ENTRY_VALID: u16 = 1 << 0;

    /// The end of a table. Apart from the flags, zero stands for any CPU.
    const END: Self = Self {
        vendor: 0,
        family: 0,
        model: 0,
        steppings: 0,
        feature: 0,
        flags: 0,
        platform_mask: 0,
        type_: 0,
        driver_data: 0,
    };

    /// Any CPU that has `feature`, like C's `X86_MATCH_FEATURE`.
    const fn with_feature(feature: u32) -> Self {
        Self {
            vendor: Self::VENDOR_ANY,
            feature: feature as u16,
            flags: Self::ENTRY_VALID,
            ..Self::END
        }
    }
}

/// The CPUs that the driver is for: those that run a TD. modpost makes the module's alias of it, and
/// knows it by its name, which is C's `MODULE_DEVICE_TABLE`'s.
#[export_name = "__mod_device_table__0__kmod_tdx_guest__x86cpu__TABLE"]
static TABLE: [CpuId; 2] = [
    CpuId::with_feature(bindings::X86_FEATURE_TDX_GUEST),
    CpuId::END,
];

extern "C" {
    /// Returns the first entry of `table` that the CPU matches, or NULL.
    fn x86_match_cpu(table: *const CpuId) -> *const CpuId;
}

/// The TDCALL instruction, where there is one.
///
/// # Errors
///
/// `ENODEV` outside of a TD.
pub(crate) fn td() -> Result<Instruction> {
    // SAFETY: The function reads `table` up to an entry that is not marked `ENTRY_VALID`, which is
    // the last one.
    let found = unsafe { x86_match_cpu(TABLE.as_ptr()) };
    if found.is_null() {
        return Err(ENODEV);
    }
    // SAFETY: The kernel sets the feature after CPUID leaf 21h has said "IntelTDX    "
    // (`tdx_early_init()`), and kernel code of x86-64 runs at privilege level 0 in 64-bit mode.
    Ok(unsafe { Instruction::assume_td() })
}
