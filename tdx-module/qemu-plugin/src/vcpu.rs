// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What this plugin keeps for each thread that runs vCPUs.

use crate::memory::MemoryAccess;
use crate::plugin;
use crate::registers::RegisterAccess;
use core::cell::RefCell;
use core::ffi::{c_uint, c_void};
use std::process;

/// Access to the vCPU that the calling thread is running.
///
/// QEMU runs each vCPU in a thread of its own, or all of them in one. Either way a thread runs one vCPU at a time, and
/// what it uses for that is nobody else's.
pub(crate) struct Vcpu {
    pub(crate) registers: RegisterAccess,
    pub(crate) memory: MemoryAccess,
}

thread_local! {
    static VCPU: RefCell<Option<Vcpu>> = const { RefCell::new(None) };
}

/// Calls `work` with access to the vCPU that the calling thread is running.
///
/// # Panics
///
/// In a thread that [`on_init`] was not called in, and if `work` calls this function again.
pub(crate) fn with_current<T>(work: impl FnOnce(&mut Vcpu) -> T) -> T {
    VCPU.with_borrow_mut(|vcpu| {
        work(
            vcpu.as_mut()
                .expect("QEMU announces a vCPU in the thread that will run it"),
        )
    })
}

/// Called in a vCPU's thread before it executes anything.
pub(crate) extern "C" fn on_init(_vcpu_index: c_uint, _userdata: *mut c_void) {
    VCPU.with_borrow_mut(|vcpu| match vcpu {
        // Measured on QEMU 11.1: where one thread runs several vCPUs, inline operations make the guest crash.
        Some(_) if plugin::get().control.is_some() => {
            eprintln!(
                "tdx-qemu-plugin: control=on counts instructions, which QEMU cannot while one thread runs several vCPUs; \
                 use -smp 1 or -accel tcg,thread=multi"
            );
            process::exit(1);
        }
        Some(_) => {}
        None => {
            let registers = RegisterAccess::resolve().unwrap_or_else(|error| panic!("{error}"));
            *vcpu = Some(Vcpu { registers, memory: MemoryAccess::new() });
        }
    });
}
