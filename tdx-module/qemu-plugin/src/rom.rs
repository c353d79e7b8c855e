// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes the firmware's image writable, as it is in a TD.
//!
//! A TD's firmware is private memory like any other, and TDVF's first phase keeps variables in its own image, the buffer
//! of TDG.MR.RTMR.EXTEND among them. QEMU maps the image read-only and drops what is stored there. So each store of an
//! instruction that lies in the image is repeated with the function of the plugin interface that debuggers write with.

use crate::{ffi, plugin, vcpu};
use core::ffi::{c_uint, c_void};
use core::ptr;

/// Has stores of `insn` repeated where they are to the image.
///
/// # Safety
///
/// `insn` is an instruction of the block that is being translated.
pub(crate) unsafe fn attach(insn: *mut ffi::qemu_plugin_insn) {
    // SAFETY: The callback fits its type and ignores the user data; the caller says the rest.
    unsafe {
        ffi::qemu_plugin_register_vcpu_mem_cb(
            insn,
            on_store,
            ffi::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_NO_REGS,
            ffi::qemu_plugin_mem_rw::QEMU_PLUGIN_MEM_W,
            ptr::null_mut(),
        );
    }
}

/// Called after a store. In a TDVF that has not handed over, virtual addresses are physical ones.
extern "C" fn on_store(
    _vcpu_index: c_uint,
    info: ffi::qemu_plugin_meminfo_t,
    vaddr: u64,
    _userdata: *mut c_void,
) {
    let image = plugin::get().firmware().map(|firmware| firmware.range());
    if !image.is_some_and(|image| image.contains(&vaddr)) {
        return;
    }
    // SAFETY: The access is the one that this callback is about.
    let value = unsafe { ffi::qemu_plugin_mem_get_value(info) };
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&value.data[0].to_le_bytes());
    high.copy_from_slice(&value.data[1].to_le_bytes());
    // The types are numbered by the logarithm of their size.
    let Some(stored) = 1usize
        .checked_shl(value.kind)
        .and_then(|size| bytes.get(..size))
    else {
        return;
    };
    vcpu::with_current(|vcpu| vcpu.memory.write_virtual(vaddr, stored));
}
