// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What this plugin keeps for each thread that runs vCPUs.

use crate::memory::MemoryAccess;
use crate::registers::RegisterAccess;
use core::cell::RefCell;
use core::ffi::{c_uint, c_void};

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
    VCPU.with_borrow_mut(|vcpu| {
        if vcpu.is_none() {
            let registers = RegisterAccess::resolve().unwrap_or_else(|error| panic!("{error}"));
            *vcpu = Some(Vcpu {
                registers,
                memory: MemoryAccess::new(),
            });
        }
    });
}
