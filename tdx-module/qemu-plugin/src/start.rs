// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How a TD starts: at the first instruction after a reset, and for a TDVF in the TDX module's way.
//!
//! QEMU resets a machine into real mode, with all vCPUs but one waiting to be started. Every reset makes a new TD. Where
//! the firmware is a TDVF, the vCPUs then go through [`stub`](crate::stub) and come out of it together, in the state in
//! which the TDX module starts them.

use crate::{ffi, plugin, stub, vcpu};
use core::ffi::{c_uint, c_void};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::thread;

/// The address of a vCPU's first instruction.
pub(crate) const RESET_VECTOR: u64 = 0xffff_fff0;

/// What a code segment's base is in real mode at the reset vector.
const RESET_BASE: u64 = 0xffff_0000;

/// Where the start-up IPI of the stub sends a vCPU, which is also its code segment's base.
pub(crate) const STARTUP: u64 = 0xf_f000;

/// CR0.PE: protected mode.
const CR0_PE: u64 = 1;

/// How long the first vCPU waits before it looks again whether the others have come.
const PATIENCE: Duration = Duration::from_micros(200);

/// Which vCPUs have started.
pub(crate) struct Starts {
    /// Those that have come out of the stub.
    arrived: AtomicU32,
    /// Whether a vCPU has.
    has_arrived: Box<[AtomicBool]>,
}

impl Starts {
    /// None of so many.
    pub(crate) fn new(vcpus: u32) -> Self {
        Self {
            arrived: AtomicU32::new(0),
            has_arrived: (0..vcpus).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// The machine was reset.
    fn reset(&self) {
        for vcpu in &self.has_arrived {
            vcpu.store(false, Ordering::Relaxed);
        }
        self.arrived.store(0, Ordering::Relaxed);
    }

    /// Whether a vCPU is still in the state that QEMU starts it in.
    fn is_new(&self, vcpu_index: u32) -> bool {
        !self.has_arrived[vcpu_index as usize].load(Ordering::Relaxed)
    }

    /// A vCPU has come out of the stub. Returns whether all of them have.
    fn arrive(&self, vcpu_index: u32) -> bool {
        if !self.has_arrived[vcpu_index as usize].swap(true, Ordering::Relaxed) {
            self.arrived.fetch_add(1, Ordering::Relaxed);
        }
        self.arrived.load(Ordering::Relaxed) as usize == self.has_arrived.len()
    }
}

/// Called before the instruction at [`RESET_VECTOR`].
pub(crate) extern "C" fn on_reset_vector(_vcpu_index: c_uint, _userdata: *mut c_void) {
    let diverted = vcpu::with_current(|vcpu| {
        // In protected mode it is a TDVF's, which begins here after the stub.
        if vcpu.registers.cr0() & CR0_PE != 0 {
            return false;
        }
        let plugin = plugin::get();
        plugin.starts.reset();
        plugin.in_place.reset();
        plugin.make_td(vcpu);
        plugin.firmware().is_some()
    });
    if diverted {
        divert(RESET_BASE);
    }
}

/// Called before an instruction at [`STARTUP`].
pub(crate) extern "C" fn on_startup(vcpu_index: c_uint, _userdata: *mut c_void) {
    let is_new = vcpu::with_current(|vcpu| {
        plugin::get().starts.is_new(vcpu_index) && vcpu.registers.cr0() & CR0_PE == 0
    });
    if is_new {
        divert(STARTUP);
    }
}

/// Goes on in the stub. `base` is that of the vCPU's code segment.
fn divert(base: u64) {
    // What is set is the offset in the segment, and addresses wrap at 4 GiB.
    let offset = stub::ADDRESS.wrapping_sub(base) & u64::from(u32::MAX);
    // SAFETY: The callbacks are registered as ones that may change the PC, and nothing here has a destructor.
    unsafe { ffi::qemu_plugin_set_pc(offset) }
}

/// Called before the instruction at the stub's end.
pub(crate) extern "C" fn on_stub_end(vcpu_index: c_uint, _userdata: *mut c_void) {
    if let Some(next) = begin(vcpu_index) {
        // SAFETY: The callback is registered as one that may change the PC, and nothing here has a destructor.
        unsafe { ffi::qemu_plugin_set_pc(next) }
    }
}

/// Where a vCPU goes on from the stub's end, if it is there because it was diverted.
fn begin(vcpu_index: u32) -> Option<u64> {
    let plugin = plugin::get();
    let first = vcpu_index == 0;
    let firmware = plugin.firmware()?;
    if !first && !plugin.starts.is_new(vcpu_index) {
        return None;
    }
    let all = plugin.starts.arrive(vcpu_index);
    // The firmware takes the memory with the stub in use as soon as it runs.
    if first && !all {
        thread::sleep(PATIENCE);
        return Some(stub::end());
    }
    vcpu::with_current(|vcpu| {
        let registers = vcpu.registers.gprs();
        let cpuid_1_eax = (registers.rax & u64::from(u32::MAX)) as u32;
        let initial = plugin::td().initial_registers(vcpu_index, firmware.hob(), cpuid_1_eax);
        vcpu.registers.write_changed(&registers, &initial);
    });
    Some(RESET_VECTOR)
}
