// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Counting the instructions that each vCPU executes.

use crate::ffi;

/// The size of a vCPU's entry in bytes: vCPUs that count in one cache line slow each other down to half the speed, and
/// processors fetch lines in pairs.
const ENTRY: usize = 128;

/// A count for each vCPU.
///
/// QEMU adds to it in the translated code itself, so that counting costs an addition in memory and no call. Still, one for
/// each instruction would double the time that a boot takes: one is made for all the instructions between two places
/// where the count may be read. It is never freed: translated code refers to it as long as QEMU runs.
pub(crate) struct InstructionCount(ffi::qemu_plugin_u64);

// SAFETY: The scoreboard is QEMU's, which says that operations on it are safe from all vCPU threads: each has its entry.
unsafe impl Send for InstructionCount {}
// SAFETY: As above.
unsafe impl Sync for InstructionCount {}

impl InstructionCount {
    /// A count of zero for each vCPU.
    pub(crate) fn new() -> Self {
        // SAFETY: The function takes a size only.
        let score = unsafe { ffi::qemu_plugin_scoreboard_new(ENTRY) };
        Self(ffi::qemu_plugin_u64 { score, offset: 0 })
    }

    /// Counts `number` instructions whenever `first` is executed: it and those that follow it without a branch.
    ///
    /// If one of them faults, the rest of them is counted too, and again when they are executed later.
    ///
    /// # Safety
    ///
    /// `first` is an instruction of the block that is being translated.
    pub(crate) unsafe fn attach(&self, first: *mut ffi::qemu_plugin_insn, number: u64) {
        // SAFETY: The instruction is alive as the caller says, and the entry is a member of a scoreboard that lives on.
        unsafe {
            ffi::qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
                first,
                ffi::qemu_plugin_op::QEMU_PLUGIN_INLINE_ADD_U64,
                self.0,
                number,
            );
        }
    }

    /// How many instructions the vCPU with this index has executed.
    pub(crate) fn get(&self, vcpu_index: u32) -> u64 {
        // SAFETY: The entry is a member of a scoreboard that lives on; QEMU has an entry for each vCPU.
        unsafe { ffi::qemu_plugin_u64_get(self.0, vcpu_index) }
    }
}
