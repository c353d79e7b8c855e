// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Finding the instructions to answer, when QEMU translates them.

use crate::in_place::{self, Place};
use crate::{cpuid, ffi, pause, plugin, rom, start, stub, tdcall};
use core::ffi::c_void;
use core::ptr;

/// The encoding of TDCALL. Source: Intel SDM volume 2, "TDCALL".
///
/// Redundant prefixes, which the CPU ignores and no program has, are not recognised.
const TDCALL: [u8; 4] = [0x66, 0x0f, 0x01, 0xcc];

/// The encoding of CPUID, of which the same is true. Source: Intel SDM volume 2, "CPUID".
const CPUID: [u8; 2] = [0x0f, 0xa2];

/// Called for each block that QEMU translates: attaches the callbacks that answer TDCALL and CPUID.
pub(crate) extern "C" fn on_translation(tb: *mut ffi::qemu_plugin_tb, _userdata: *mut c_void) {
    let plugin = plugin::get();
    let control = plugin.control.as_ref();
    // SAFETY: QEMU hands over a block for the time of this call.
    unsafe { plugin.quotes.attach(tb) };
    // SAFETY: QEMU hands over a block for the time of this call.
    let count = unsafe { ffi::qemu_plugin_tb_n_insns(tb) };
    // The first of the instructions that are not counted yet, and their number.
    let mut uncounted = (ptr::null_mut(), 0);
    for index in 0..count {
        // SAFETY: As above, and the index is less than the number of the block's instructions.
        let insn = unsafe { ffi::qemu_plugin_tb_get_insn(tb, index) };
        // SAFETY: The instruction belongs to the block.
        let answered = unsafe { Answered::recognise(insn) };
        uncounted = match uncounted {
            (_, 0) => (insn, 1),
            (first, number) => (first, number + 1),
        };
        // The count is read in callbacks, and from there execution may go on in another block.
        if answered.is_some() || index + 1 == count {
            if let Some(control) = control {
                let (first, number) = uncounted;
                // SAFETY: The instruction belongs to the block.
                unsafe { control.instructions.attach(first, number) };
            }
            uncounted.1 = 0;
        }
        // SAFETY: The instruction belongs to the block.
        unsafe { instrument(insn, answered, index == 0) };
    }
}

/// An instruction that the plugin may answer.
#[derive(Clone, Copy)]
enum Answered {
    Tdcall,
    Cpuid,
    Pause,
}

impl Answered {
    /// Whether `insn` is one, and which.
    ///
    /// # Safety
    ///
    /// `insn` is an instruction of the block that is being translated.
    unsafe fn recognise(insn: *const ffi::qemu_plugin_insn) -> Option<Self> {
        // One byte more than the longest, so that nothing longer looks like it.
        let mut bytes = [0; TDCALL.len() + 1];
        // SAFETY: QEMU writes at most as many bytes as it is told to.
        let len =
            unsafe { ffi::qemu_plugin_insn_data(insn, bytes.as_mut_ptr().cast(), bytes.len()) };
        match &bytes[..len] {
            bytes if bytes == TDCALL => Some(Self::Tdcall),
            bytes if bytes == CPUID => Some(Self::Cpuid),
            bytes if bytes == pause::PAUSE => Some(Self::Pause),
            _ => None,
        }
    }
}

/// Attaches to an instruction what is to happen before it is executed.
///
/// # Safety
///
/// `insn` is an instruction of the block that is being translated, its first one if `is_first`.
unsafe fn instrument(insn: *mut ffi::qemu_plugin_insn, answered: Option<Answered>, is_first: bool) {
    let plugin = plugin::get();
    let firmware = plugin.firmware();
    // Most instructions of a guest without such firmware. The one that it starts with is a block's first.
    if answered.is_none() && firmware.is_none() && !is_first {
        return;
    }
    // SAFETY: The caller says so.
    let address = unsafe { ffi::qemu_plugin_insn_vaddr(insn) };
    let userdata = ptr::without_provenance_mut(address as usize);
    if address == start::RESET_VECTOR {
        // SAFETY: The callback fits its type, and ignores the user data.
        unsafe { attach(insn, start::on_reset_vector, userdata) };
    }
    // Asked once: it may change meanwhile.
    let place = plugin.in_place.place(address);
    if let Some(firmware) = firmware {
        // SAFETY: The caller says so.
        unsafe { instrument_for_firmware(insn, address, place) };
        if firmware.range().contains(&address) {
            // SAFETY: The caller says so.
            unsafe { rom::attach(insn) };
        }
    }
    let callback = match answered {
        // What the plugin has written there itself.
        _ if place.is_some() => return,
        Some(Answered::Tdcall) => tdcall::on_execution,
        Some(Answered::Cpuid) => cpuid::on_execution,
        Some(Answered::Pause) if firmware.is_some() && pause::may_be_firmware(address) => {
            pause::on_pause
        }
        Some(Answered::Pause) | None => return,
    };
    // SAFETY: The callback fits its type. The user data is no pointer, but the address that the callbacks expect.
    unsafe { attach(insn, callback, userdata) };
}

/// Attaches what only the firmware's own way of starting and of calling its host needs.
///
/// # Safety
///
/// `insn` is an instruction of the block that is being translated, at `address`.
unsafe fn instrument_for_firmware(
    insn: *mut ffi::qemu_plugin_insn,
    address: u64,
    place: Option<Place>,
) {
    let callback = match place {
        Some(Place::Instruction) => in_place::on_instruction,
        Some(Place::End) => in_place::on_end,
        None if address == start::STARTUP => start::on_startup,
        None if address == stub::end() => start::on_stub_end,
        None => return,
    };
    // SAFETY: The callback fits its type. The user data is no pointer, but the address that the callbacks expect.
    unsafe {
        attach(
            insn,
            callback,
            ptr::without_provenance_mut(address as usize),
        );
    }
}

/// Has `callback` called before `insn`, with leave to change all registers.
///
/// # Safety
///
/// `insn` is an instruction of the block that is being translated, and `userdata` is what `callback` expects.
unsafe fn attach(
    insn: *mut ffi::qemu_plugin_insn,
    callback: ffi::qemu_plugin_vcpu_udata_cb_t,
    userdata: *mut c_void,
) {
    let flags = ffi::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_RW_REGS_PC;
    // SAFETY: The caller says so.
    unsafe { ffi::qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, flags, userdata) };
}
