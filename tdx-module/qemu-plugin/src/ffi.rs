// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The part of QEMU's plugin interface that this plugin uses, and the little of glib that comes with it.
//!
//! Follows QEMU's `include/plugins/qemu-plugin.h`, version 7 (QEMU 11.1), whose names are kept. Nothing here is linked:
//! QEMU exports its functions and has glib in its process, and the dynamic loader resolves both when QEMU loads the
//! plugin.

#![expect(non_camel_case_types, reason = "these are the names of the C header")]

use core::ffi::{c_char, c_int, c_uint, c_void};

/// The version of the interface that the declarations below follow.
///
/// Version 7 gave every callback its `userdata`; what is older calls them with other arguments.
pub(crate) const QEMU_PLUGIN_VERSION: c_int = 7;

/// The number that QEMU knows this plugin by.
pub(crate) type qemu_plugin_id_t = u64;

/// `struct qemu_info_t`: what QEMU says of the guest when it loads the plugin.
#[repr(C)]
pub(crate) struct qemu_info_t {
    /// The architecture, a C string.
    pub(crate) target_name: *const c_char,
    /// The oldest version of the interface that QEMU serves.
    pub(crate) version_min: c_int,
    /// The newest one.
    pub(crate) version_cur: c_int,
    /// Whether this is a whole machine, and `smp_vcpus` and `max_vcpus` are there.
    pub(crate) system_emulation: bool,
    /// The number of vCPUs at the start.
    pub(crate) smp_vcpus: c_int,
    /// The largest number of vCPUs that there may be.
    pub(crate) max_vcpus: c_int,
}

/// Declares types of which only the address is known.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])* #[repr(C)] pub(crate) struct $name { _opaque: [u8; 0] })*
    };
}

opaque! {
    /// A translation block, while it is being translated.
    qemu_plugin_tb;
    /// An instruction of a translation block, while it is being translated.
    qemu_plugin_insn;
    /// Memory that has an entry for each vCPU.
    qemu_plugin_scoreboard;
    /// A register of a vCPU.
    qemu_plugin_register;
}

/// `qemu_plugin_reg_descriptor`: a register that a vCPU has.
#[repr(C)]
pub(crate) struct qemu_plugin_reg_descriptor {
    /// What reads and writes it.
    pub(crate) handle: *mut qemu_plugin_register,
    /// Its name in GDB, a C string that lives as long as QEMU does.
    pub(crate) name: *const c_char,
    /// The group of registers that it belongs to, a C string or null.
    pub(crate) feature: *const c_char,
    /// Whether it cannot be written.
    pub(crate) is_readonly: bool,
}

/// `qemu_plugin_u64`: a 64-bit member of a scoreboard's entries.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct qemu_plugin_u64 {
    /// The scoreboard.
    pub(crate) score: *mut qemu_plugin_scoreboard,
    /// The offset of the member in an entry, in bytes.
    pub(crate) offset: usize,
}

/// `enum qemu_plugin_cb_flags`: what a callback may do with the vCPU's registers.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) enum qemu_plugin_cb_flags {
    /// Leaves them alone.
    QEMU_PLUGIN_CB_NO_REGS = 0,
    /// Reads and writes them, and may end with [`qemu_plugin_set_pc`].
    QEMU_PLUGIN_CB_RW_REGS_PC = 3,
}

/// `enum qemu_plugin_mem_rw`: which accesses to memory a callback is for.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) enum qemu_plugin_mem_rw {
    /// Stores.
    QEMU_PLUGIN_MEM_W = 2,
}

/// An access to memory, for the time of its callback.
pub(crate) type qemu_plugin_meminfo_t = u32;

/// `qemu_plugin_mem_value`: what was loaded or stored.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct qemu_plugin_mem_value {
    /// `enum qemu_plugin_mem_value_type`, as a number: 0 for one byte, 1 for two, up to 4 for sixteen.
    pub(crate) kind: c_uint,
    /// The value, in the first bytes of this.
    pub(crate) data: [u64; 2],
}

/// A callback for an access to memory: the vCPU, the access, its virtual address.
pub(crate) type qemu_plugin_vcpu_mem_cb_t =
    extern "C" fn(c_uint, qemu_plugin_meminfo_t, u64, *mut c_void);

/// `enum qemu_plugin_op`: what an inline operation does.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) enum qemu_plugin_op {
    /// Adds a number to a member of a scoreboard.
    QEMU_PLUGIN_INLINE_ADD_U64 = 0,
}

/// `enum qemu_plugin_cond`: how a number is compared to decide about a callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) enum qemu_plugin_cond {
    /// They differ.
    QEMU_PLUGIN_COND_NE = 3,
}

/// `enum qemu_plugin_hwaddr_operation_result`, as a number: QEMU may come to have more of them.
pub(crate) type qemu_plugin_hwaddr_operation_result = c_uint;

/// The access was made.
pub(crate) const QEMU_PLUGIN_HWADDR_OPERATION_OK: qemu_plugin_hwaddr_operation_result = 0;

/// A callback for something that happens to a vCPU, given by its index.
pub(crate) type qemu_plugin_vcpu_udata_cb_t = extern "C" fn(c_uint, *mut c_void);

/// A callback for the translation of a block.
pub(crate) type qemu_plugin_vcpu_tb_trans_cb_t = extern "C" fn(*mut qemu_plugin_tb, *mut c_void);

/// `GByteArray`: bytes that glib allocates. Only glib may make one, because it keeps more than these two fields.
#[repr(C)]
pub(crate) struct GByteArray {
    /// The bytes.
    pub(crate) data: *mut u8,
    /// Their number.
    pub(crate) len: c_uint,
}

/// `GArray`: elements that glib allocates; only glib may make one.
#[repr(C)]
pub(crate) struct GArray {
    /// The elements.
    pub(crate) data: *mut c_char,
    /// Their number.
    pub(crate) len: c_uint,
}

extern "C" {
    pub(crate) fn qemu_plugin_register_vcpu_init_cb(
        id: qemu_plugin_id_t,
        cb: qemu_plugin_vcpu_udata_cb_t,
        userdata: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: qemu_plugin_id_t,
        cb: qemu_plugin_vcpu_tb_trans_cb_t,
        userdata: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut qemu_plugin_insn,
        cb: qemu_plugin_vcpu_udata_cb_t,
        flags: qemu_plugin_cb_flags,
        userdata: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
        insn: *mut qemu_plugin_insn,
        op: qemu_plugin_op,
        entry: qemu_plugin_u64,
        imm: u64,
    );

    pub(crate) fn qemu_plugin_register_vcpu_tb_exec_cond_cb(
        tb: *mut qemu_plugin_tb,
        cb: qemu_plugin_vcpu_udata_cb_t,
        flags: qemu_plugin_cb_flags,
        cond: qemu_plugin_cond,
        entry: qemu_plugin_u64,
        imm: u64,
        userdata: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut qemu_plugin_insn,
        cb: qemu_plugin_vcpu_mem_cb_t,
        flags: qemu_plugin_cb_flags,
        rw: qemu_plugin_mem_rw,
        userdata: *mut c_void,
    );
    pub(crate) fn qemu_plugin_mem_get_value(info: qemu_plugin_meminfo_t) -> qemu_plugin_mem_value;
    pub(crate) fn qemu_plugin_tb_n_insns(tb: *const qemu_plugin_tb) -> usize;
    pub(crate) fn qemu_plugin_tb_get_insn(
        tb: *const qemu_plugin_tb,
        idx: usize,
    ) -> *mut qemu_plugin_insn;
    pub(crate) fn qemu_plugin_insn_data(
        insn: *const qemu_plugin_insn,
        dest: *mut c_void,
        len: usize,
    ) -> usize;
    pub(crate) fn qemu_plugin_insn_vaddr(insn: *const qemu_plugin_insn) -> u64;

    pub(crate) fn qemu_plugin_get_registers() -> *mut GArray;
    pub(crate) fn qemu_plugin_read_register(
        handle: *mut qemu_plugin_register,
        buf: *mut GByteArray,
    ) -> bool;
    pub(crate) fn qemu_plugin_write_register(
        handle: *mut qemu_plugin_register,
        buf: *mut GByteArray,
    ) -> bool;
    /// Leaves the callback by `longjmp` and goes on at `vaddr`.
    pub(crate) fn qemu_plugin_set_pc(vaddr: u64) -> !;

    pub(crate) fn qemu_plugin_read_memory_vaddr(
        addr: u64,
        data: *mut GByteArray,
        len: usize,
    ) -> bool;
    pub(crate) fn qemu_plugin_write_memory_vaddr(addr: u64, data: *mut GByteArray) -> bool;
    pub(crate) fn qemu_plugin_read_memory_hwaddr(
        addr: u64,
        data: *mut GByteArray,
        len: usize,
    ) -> qemu_plugin_hwaddr_operation_result;
    pub(crate) fn qemu_plugin_write_memory_hwaddr(
        addr: u64,
        data: *mut GByteArray,
    ) -> qemu_plugin_hwaddr_operation_result;

    pub(crate) fn qemu_plugin_scoreboard_new(element_size: usize) -> *mut qemu_plugin_scoreboard;
    pub(crate) fn qemu_plugin_u64_set(entry: qemu_plugin_u64, vcpu_index: c_uint, val: u64);
    pub(crate) fn qemu_plugin_u64_get(entry: qemu_plugin_u64, vcpu_index: c_uint) -> u64;

    pub(crate) fn g_byte_array_new() -> *mut GByteArray;
    pub(crate) fn g_byte_array_set_size(array: *mut GByteArray, length: c_uint) -> *mut GByteArray;
    pub(crate) fn g_byte_array_unref(array: *mut GByteArray);
    pub(crate) fn g_array_unref(array: *mut GArray);
}
