// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.VMCALL: what passes between a TD and its host.

use crate::bench::{parameters, vmcall, Bench};
use tdx_call::{leaf, OperandId, Registers, Status, Vmcall, VmcallStatus};
use tdx_module::{config_flags, HostPolicy, Platform, TdParameters};

/// Registers with a value of their own in each, and this mask.
fn all(mask: u64) -> Registers {
    Registers {
        rax: leaf::VP_VMCALL,
        rcx: mask,
        rbx: 3,
        rdx: 2,
        rsi: 6,
        rdi: 7,
        r8: 8,
        r9: 9,
        r10: 10,
        r11: 11,
        r12: 12,
        r13: 13,
        r14: 14,
        r15: 15,
    }
}

/// The registers that can be exposed, by their bits in the mask.
fn by_bit(registers: &Registers) -> [(u32, u64); 12] {
    [
        (2, registers.rdx),
        (3, registers.rbx),
        (6, registers.rsi),
        (7, registers.rdi),
        (8, registers.r8),
        (9, registers.r9),
        (10, registers.r10),
        (11, registers.r11),
        (12, registers.r12),
        (13, registers.r13),
        (14, registers.r14),
        (15, registers.r15),
    ]
}

#[test]
fn forbidden_bits_of_the_mask_are_refused() {
    let bench = Bench::new();
    for bit in [0, 1, 4].into_iter().chain(32..64) {
        let before = all(1 << bit);
        let after = bench.call(before);
        assert_eq!(
            Status(after.rax),
            Status::operand_invalid(OperandId::RCX),
            "bit {bit}"
        );
        assert_eq!(
            Registers {
                rax: before.rax,
                ..after
            },
            before
        );
    }
}

#[test]
fn registers_and_xmm_that_can_be_exposed_are_taken() {
    let bench = Bench::new();
    for bit in [2, 3, 5, 6, 7].into_iter().chain(8..32) {
        bench.succeed(all(1 << bit));
    }
    // Linux exposes all but RSP, RBP and what it cannot; TDVF more.
    bench.succeed(all(0xffcc));
}

#[test]
fn rbp_is_refused_where_it_may_not_be_passed() {
    let parameters = TdParameters {
        config_flags: config_flags::NO_RBP_MOD,
        ..parameters()
    };
    let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
    assert_eq!(
        bench.status(all(1 << 5)),
        Status::operand_invalid(OperandId::RCX)
    );
    bench.succeed(all(0xffcc));
}

#[test]
fn a_host_sees_the_exposed_registers_and_zeros() {
    for mask in [0, 0xffcc, 0xfc00, 1 << 10, 1 << 3, 0x5540] {
        let mut bench = Bench::new();
        // A host that shows in R15's place what it sees: the sum of all registers.
        bench.ram.host = Some(|call| {
            let sum: u64 = by_bit(call).iter().map(|(_, value)| value).sum();
            call.r15 = call.rax + call.rcx + sum;
        });
        let mask = mask | (1 << 15);
        let exposed = by_bit(&all(0)).into_iter();
        let exposed = exposed.filter(|(bit, _)| (mask >> bit) & 1 != 0);
        let sum: u64 = exposed.map(|(_, value)| value).sum();
        assert_eq!(bench.succeed(all(mask)).r15, sum, "mask {mask:#x}");
    }
}

#[test]
fn a_host_changes_the_exposed_registers_and_no_others() {
    for mask in [0, 0xffcc, 0xfc00, 1 << 10, 1 << 3, 0x5540] {
        let mut bench = Bench::new();
        bench.ram.host = Some(|call| {
            *call = all(100);
            for register in [&mut call.rbx, &mut call.rdx, &mut call.rsi, &mut call.rdi] {
                *register += 100;
            }
            for register in [&mut call.r8, &mut call.r9, &mut call.r10, &mut call.r11] {
                *register += 100;
            }
            for register in [&mut call.r12, &mut call.r13, &mut call.r14, &mut call.r15] {
                *register += 100;
            }
            call.rax = 100;
        });
        let before = all(mask);
        let after = bench.succeed(before);
        assert_eq!((after.rax, after.rcx), (0, mask));
        for ((bit, old), (_, new)) in by_bit(&before).into_iter().zip(by_bit(&after)) {
            let expected = if (mask >> bit) & 1 != 0 {
                old + 100
            } else {
                old
            };
            assert_eq!(new, expected, "mask {mask:#x}, bit {bit}");
        }
    }
}

#[test]
fn a_host_that_refuses_is_another_thing_than_a_call_that_fails() {
    let after = Bench::new().succeed(vmcall(Vmcall::SERVICE, 0, 0));
    assert_eq!(after.rax, 0);
    assert_eq!(after.r10, VmcallStatus::SUBFUNC_UNSUPPORTED.0);
}
