// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lets vCPUs rest that wait in the firmware.
//!
//! TDVF parks all vCPUs but the first in a loop around PAUSE, until the kernel starts them. On hardware that costs
//! nothing; here each loop takes a processor of the host from the vCPU that boots.

use crate::vcpu;
use core::ffi::{c_uint, c_void};
use core::time::Duration;
use std::thread;

/// The encoding of PAUSE. Source: Intel SDM volume 2, "PAUSE".
pub(crate) const PAUSE: [u8; 2] = [0xf3, 0x90];

/// How long a vCPU rests.
const NAP: Duration = Duration::from_micros(200);

/// Whether code at a virtual address may be the firmware's. Kernels live in the upper half.
pub(crate) fn may_be_firmware(vaddr: u64) -> bool {
    vaddr < 1 << 47
}

/// Called before a PAUSE in the lower half.
pub(crate) extern "C" fn on_pause(vcpu_index: c_uint, _userdata: *mut c_void) {
    // The first vCPU waits for the others, and not for long.
    let parked = vcpu_index != 0 && vcpu::with_current(|vcpu| vcpu.registers.is_supervisor());
    if parked {
        thread::sleep(NAP);
    }
}
