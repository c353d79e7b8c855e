// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The order and the bytes of registers.

use core::ffi::CStr;
use tdx_call::Registers;

/// The general-purpose registers of a TDCALL, by GDB's names, in the order of [`to_array`].
pub(super) const GPRS: [&CStr; 14] = [
    c"rax", c"rbx", c"rcx", c"rdx", c"rsi", c"rdi", c"r8", c"r9", c"r10", c"r11", c"r12", c"r13",
    c"r14", c"r15",
];

/// Where the general-purpose registers that CPUID writes are in [`GPRS`].
pub(super) const RAX: usize = 0;
pub(super) const RBX: usize = 1;
pub(super) const RCX: usize = 2;
pub(super) const RDX: usize = 3;
/// A register that only 64-bit mode has.
pub(super) const R15: usize = 13;

/// The registers in the order of [`GPRS`].
pub(super) fn to_array(registers: &Registers) -> [u64; GPRS.len()] {
    let Registers {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
    } = *registers;
    [
        rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15,
    ]
}

/// What [`to_array`] was made of.
pub(super) fn from_array(values: [u64; GPRS.len()]) -> Registers {
    let [rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = values;
    Registers {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
    }
}

/// The value of a register in the bytes that QEMU shows it in: the target's byte order, up to eight of them.
pub(super) fn from_bytes(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .take(8)
        .fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_array_correspond() {
        let values: [u64; GPRS.len()] = core::array::from_fn(|index| 0x100 + index as u64);
        assert_eq!(to_array(&from_array(values)), values);
    }

    #[test]
    fn names_and_array_are_in_the_same_order() {
        let at = |name| {
            GPRS.iter().position(|found| *found == name).map(|index| {
                let mut values = [0; GPRS.len()];
                values[index] = 1;
                from_array(values)
            })
        };
        assert_eq!(
            at(c"rax"),
            Some(Registers {
                rax: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rbx"),
            Some(Registers {
                rbx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rcx"),
            Some(Registers {
                rcx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rdx"),
            Some(Registers {
                rdx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rsi"),
            Some(Registers {
                rsi: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rdi"),
            Some(Registers {
                rdi: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r8"),
            Some(Registers {
                r8: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r9"),
            Some(Registers {
                r9: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r10"),
            Some(Registers {
                r10: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r11"),
            Some(Registers {
                r11: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r12"),
            Some(Registers {
                r12: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r13"),
            Some(Registers {
                r13: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r14"),
            Some(Registers {
                r14: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r15"),
            Some(Registers {
                r15: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            [GPRS[RAX], GPRS[RBX], GPRS[RCX], GPRS[RDX]],
            [c"rax", c"rbx", c"rcx", c"rdx"]
        );
        assert_eq!(GPRS[R15], c"r15");
    }

    #[test]
    fn a_register_is_little_endian_and_may_be_narrow() {
        assert_eq!(
            from_bytes(&[0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]),
            0x1122_3344_5566_7788
        );
        assert_eq!(from_bytes(&[0x33, 0, 0, 0]), 0x33);
        assert_eq!(from_bytes(&[]), 0);
    }
}
