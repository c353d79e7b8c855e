// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Kernels that QEMU changes.

use super::support::{changed, Parts};
use crate::common::put;
use proptest::prelude::*;
use tdx_firmware::expect::{KernelHeader, Payload};
use tdx_firmware::Sha2;

#[test]
fn qemu_patches_the_setup_header() {
    let parts = Parts::new();
    let low_ram = 2 << 30;
    let patched = parts.with(
        |boot| {
            if let Payload::Direct(direct) = &mut boot.payload {
                direct.header = KernelHeader::Patched { low_ram };
            }
        },
        |boot| boot.rtmrs(&Sha2).unwrap(),
    );
    // The same file with what QEMU writes.
    let mut other = Parts::new();
    let kernel = &mut other.kernel;
    kernel[0x210] = 0xb0;
    kernel[0x211] = 0x81;
    let address = (0x8000_0000_u32 - 0x2_8000 - 1 - 6) & !0xfff;
    put(kernel, 0x218, &address.to_le_bytes());
    put(kernel, 0x21c, &6_u32.to_le_bytes());
    put(kernel, 0x224, &0xfe00_u16.to_le_bytes());
    put(kernel, 0x228, &0x2_0000_u32.to_le_bytes());
    assert_eq!(patched, other.rtmrs());
    assert_eq!(changed(&patched, &parts.rtmrs()), [1]);
}

proptest! {
    #[test]
    fn no_setup_header_makes_it_panic(
        changes in proptest::collection::vec((0x1f0..0x240_usize, any::<u8>()), 0..6),
        low_ram in any::<u64>(),
    ) {
        let mut parts = Parts::new();
        for (offset, value) in changes {
            parts.kernel[offset] = value;
        }
        let _ = parts.with(
            |boot| {
                if let Payload::Direct(direct) = &mut boot.payload {
                    direct.header = KernelHeader::Patched { low_ram };
                }
            },
            |boot| boot.rtmrs(&Sha2),
        );
    }
}
