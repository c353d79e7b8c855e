// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MEM.PAGE.ATTR.RD and TDG.MEM.PAGE.ATTR.WR.

use crate::bench::{leaf, Bench, PENDING, SHARED};
use crate::order::{self, Failure};
use tdx_call::{leaf, OperandId, Registers, Status};
use tdx_module::Cause;

const PENDING_FLAG: u64 = 1 << 62;

fn read(gpa: u64) -> Registers {
    leaf(leaf::MEM_PAGE_ATTR_RD, gpa, 7, 0)
}

fn write(page: u64) -> Registers {
    leaf(leaf::MEM_PAGE_ATTR_WR, page, 0, 0)
}

#[test]
fn reading_tells_the_page_and_that_it_has_no_attributes() {
    let bench = Bench::new();
    bench.succeed(leaf(leaf::MEM_PAGE_ACCEPT, PENDING, 0, 0));
    let pages = [
        (0x20_1234, 0x20_0001),
        (PENDING + 0x123, PENDING),
        (PENDING + 0x1123, (PENDING + 0x1000) | PENDING_FLAG),
    ];
    for (gpa, page) in pages {
        let after = bench.succeed(read(gpa));
        assert_eq!((after.rcx, after.rdx), (page, 0), "GPA {gpa:#x}");
    }
}

#[test]
fn reading_refuses_shared_addresses_and_zeroes_its_outputs() {
    let after = Bench::new().call(read(0x1000 | SHARED));
    assert_eq!(Status(after.rax), Status::operand_invalid(OperandId::RCX));
    assert_eq!((after.rcx, after.rdx), (0, 0));
}

#[test]
fn failures_of_writing_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "attributes of the TD itself",
            spoil: |registers| registers.rdx |= 1 << 15,
            status: Status::operand_invalid(OperandId::RDX),
        },
        Failure {
            what: "a mask of the TD itself",
            spoil: |registers| registers.r8 |= 1,
            status: Status::operand_invalid(OperandId::R8),
        },
        Failure {
            what: "attributes of a guest that there is not",
            spoil: |registers| registers.rdx |= 1 << 31,
            status: Status::operand_invalid(OperandId::RDX),
        },
        Failure {
            what: "a mask of a guest that there is not",
            spoil: |registers| registers.r8 |= 1 << 63,
            status: Status::operand_invalid(OperandId::R8),
        },
        Failure {
            what: "a reserved bit is set",
            spoil: |registers| registers.rcx |= 8,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "the page is shared",
            spoil: |registers| registers.rcx |= SHARED,
            status: Status::operand_invalid(OperandId::RCX),
        },
    ];
    order::check(Bench::new, write(0x20_0001), &failures);
}

#[test]
fn writing_nothing_tells_the_page() {
    let bench = Bench::new();
    for (page, flag) in [
        (0x20_0001, 0),
        (PENDING, PENDING_FLAG),
        (PENDING | 1, PENDING_FLAG),
    ] {
        let after = bench.succeed(write(page));
        assert_eq!((after.rcx, after.rdx), (page | flag, 0));
    }
}

#[test]
fn writing_refuses_larger_pages_than_there_are() {
    let bench = Bench::new();
    bench.succeed(leaf(leaf::MEM_PAGE_ACCEPT, PENDING, 0, 0));
    for level in [1, 2] {
        let gpa = if level == 1 { PENDING } else { 0 };
        let after = bench.call(write(gpa | level));
        assert_eq!(after.rax, 0xc000_0b0b_0000_0000 | level);
        assert_eq!((after.rcx, after.rdx), (0, 0));
    }
}

#[test]
fn writing_to_a_part_of_a_larger_page_is_the_hosts_to_repair() {
    let bench = Bench::new();
    assert_eq!(bench.violation(write(0x1000)).cause, Cause::Absent);
}
