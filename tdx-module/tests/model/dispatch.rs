// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Before any leaf: the CPU's mode, and RAX.

use crate::bench::{parameters, Bench};
use tdx_call::{leaf, OperandId, Registers, Status};
use tdx_module::{Exception, Generation, HostPolicy, Outcome, Platform};

const NO_SUCH_LEAF: Status = Status::operand_invalid(OperandId::RAX);

fn tdx_1_0() -> Bench {
    let platform = Platform {
        generation: Generation::Tdx10,
        ..Platform::default()
    };
    Bench::with(parameters(), platform, HostPolicy::default())
}

#[test]
fn outside_64_bit_mode_every_call_is_a_general_protection_fault() {
    let bench = Bench::new();
    bench.ram.in_64_bit_mode.set(false);
    for rax in [leaf::VP_INFO, leaf::MR_REPORT, 99, u64::MAX] {
        let before = Registers::leaf(rax);
        let mut registers = before;
        let outcome = bench.td.tdcall(0, &mut registers, &bench.ram);
        assert_eq!(outcome, Outcome::Exception(Exception::GeneralProtection));
        assert_eq!(registers, before);
    }
}

#[test]
fn exceptions_have_the_vectors_and_error_codes_of_the_cpu() {
    let expected = [
        (Exception::GeneralProtection, 13, Some(0)),
        (Exception::Virtualization, 20, None),
        (Exception::DoubleFault, 8, Some(0)),
    ];
    for (exception, vector, error_code) in expected {
        assert_eq!(exception.vector(), vector);
        assert_eq!(exception.error_code(), error_code);
    }
}

#[test]
fn reserved_bits_of_rax_must_be_zero() {
    let bench = Bench::new();
    for bit in 24..64 {
        let status = bench.status(Registers::leaf(leaf::VP_INFO | (1 << bit)));
        assert_eq!(status, NO_SUCH_LEAF, "bit {bit}");
    }
}

#[test]
fn only_vm_rd_has_a_version_above_0() {
    let bench = Bench::new();
    for number in 0..=24 {
        let mut registers = Registers::leaf(number | (1 << 16));
        registers.rdx = 0x1110_0003_0000_0000;
        let refused = bench.status(registers) == NO_SUCH_LEAF;
        assert_eq!(refused, number != leaf::VM_RD, "leaf {number}");
    }
}

#[test]
fn leaves_that_there_are_not_are_refused() {
    // SYS.RDALL, VP.RD and WR, SERVTD.RD and WR, VP.ENTER, INVEPT and INVVPID are not modelled; the rest is nothing.
    let missing = [
        9, 10, 12, 13, 17, 18, 19, 20, 21, 25, 26, 27, 28, 0x100, 0xffff,
    ];
    let bench = Bench::new();
    for number in missing {
        let before = Registers::leaf(number);
        let after = bench.call(before);
        assert_eq!(Status(after.rax), NO_SUCH_LEAF, "leaf {number}");
        assert_eq!(
            Registers {
                rax: number,
                ..after
            },
            before
        );
    }
}

#[test]
fn tdx_1_0_has_leaves_0_to_8() {
    let bench = tdx_1_0();
    let refused = |number| bench.status(Registers::leaf(number)) == NO_SUCH_LEAF;
    let numbers = [leaf::SYS_RD, leaf::MR_VERIFYREPORT, leaf::MEM_PAGE_ATTR_RD];
    assert!(numbers.into_iter().all(refused));
    assert!(!(0..=8).any(refused));
}

#[test]
fn tdx_1_0_has_only_version_0_of_vm_rd() {
    let registers = Registers {
        rdx: 0x1110_0003_0000_0000,
        ..Registers::leaf(leaf::VM_RD | (1 << 16))
    };
    assert_eq!(tdx_1_0().status(registers), NO_SUCH_LEAF);
    Bench::new().succeed(registers);
}

#[test]
#[should_panic(expected = "the TD has 2 vCPUs, and no vCPU 2")]
fn a_vcpu_that_there_is_not_is_the_front_ends_mistake() {
    let bench = Bench::new();
    let mut registers = Registers::leaf(leaf::VP_INFO);
    let _ = bench.td.tdcall(2, &mut registers, &bench.ram);
}
