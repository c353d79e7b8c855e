// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory operands, as all leaves that have them treat them: the bits of an address, and the state of its page.

use crate::bench::{leaf, parameters, Bench, PENDING, RAM, SHARED};
use tdx_call::{leaf, Gpa, OperandId, Registers, Status};
use tdx_module::{config_flags, Cause, Exception, HostPolicy, Outcome, Platform, TdParameters};
use tdx_uapi::Attributes;

/// A leaf with one memory operand at `gpa` that is right but for that: the operand, and whether it may be shared.
type With = (&'static str, fn(u64) -> Registers, OperandId, bool);

const OPERANDS: &[With] = &[
    (
        "REPORT's report",
        |gpa| leaf(leaf::MR_REPORT, gpa, 0x1000, 0),
        OperandId::RCX,
        true,
    ),
    (
        "REPORT's data",
        |gpa| leaf(leaf::MR_REPORT, 0x1000, gpa, 0),
        OperandId::RDX,
        true,
    ),
    (
        "EXTEND",
        |gpa| leaf(leaf::MR_RTMR_EXTEND, gpa, 0, 0),
        OperandId::RCX,
        false,
    ),
    (
        "VERIFYREPORT",
        |gpa| leaf(leaf::MR_VERIFYREPORT, gpa, 0, 0),
        OperandId::RCX,
        false,
    ),
    (
        "ACCEPT",
        |gpa| leaf(leaf::MEM_PAGE_ACCEPT, gpa, 0, 0),
        OperandId::RCX,
        false,
    ),
    (
        "ATTR.RD",
        |gpa| leaf(leaf::MEM_PAGE_ATTR_RD, gpa, 0, 0),
        OperandId::RCX,
        false,
    ),
    (
        "ATTR.WR",
        |gpa| leaf(leaf::MEM_PAGE_ATTR_WR, gpa, 0, 0),
        OperandId::RCX,
        false,
    ),
];

/// The operands that are read or written, rather than managed.
fn accessed() -> impl Iterator<Item = &'static With> {
    OPERANDS[..4].iter()
}

#[test]
fn bits_beyond_the_address_width_are_refused() {
    for width in [48, 52, 53] {
        let parameters = TdParameters {
            gpa_width: width,
            ..parameters()
        };
        let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
        for (what, registers, operand, _) in OPERANDS {
            for bit in width..64 {
                let status = bench.status(registers(0x2000 | (1 << bit)));
                let expected = Status::operand_invalid(*operand);
                assert_eq!(status, expected, "{what}, width {width}, bit {bit}");
            }
        }
    }
}

#[test]
fn the_shared_bit_is_taken_by_report_alone() {
    for width in [48, 52, 53] {
        let parameters = TdParameters {
            gpa_width: width,
            ..parameters()
        };
        let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
        let shared = 1 << (width - 1);
        bench.map(0x2000 | shared, 0x1000);
        for (what, registers, operand, may_be_shared) in OPERANDS {
            let status = bench.status(registers(0x2000 | shared));
            let expected = if *may_be_shared {
                Status::SUCCESS
            } else {
                Status::operand_invalid(*operand)
            };
            assert_eq!(status, expected, "{what}, width {width}");
        }
    }
}

#[test]
fn the_shared_bit_reaches_the_same_memory() {
    let bench = Bench::new();
    bench.map(0x2000 | SHARED, 0x1000);
    bench.ram.put(0x2800, &[0x5a; 64]);
    bench.succeed(leaf(leaf::MR_REPORT, 0x2000 | SHARED, 0x2800 | SHARED, 0));
    assert_eq!(bench.ram.get::<64>(0x2000 + 128), [0x5a; 64]);
}

#[test]
fn private_memory_that_was_shared_is_a_violation() {
    let bench = Bench::new();
    bench.map(0x2000 | SHARED, 0x1000);
    for (what, registers, operand, _) in OPERANDS {
        let violation = bench.violation(registers(0x2000));
        assert_eq!(violation.cause, Cause::Shared, "{what}");
        assert_eq!((violation.operand, violation.gpa), (*operand, Gpa(0x2000)));
    }
}

#[test]
fn shared_memory_that_is_private_is_a_violation() {
    let bench = Bench::new();
    for gpa in [0x2000, PENDING] {
        for (what, registers, operand, _) in &OPERANDS[..2] {
            let violation = bench.violation(registers(gpa | SHARED));
            assert_eq!(violation.cause, Cause::Private, "{what}");
            assert_eq!(
                (violation.operand, violation.gpa),
                (*operand, Gpa(gpa | SHARED))
            );
        }
    }
}

#[test]
fn what_is_no_memory_is_a_violation() {
    let bench = Bench::new();
    for (what, registers, _, may_be_shared) in OPERANDS {
        assert_eq!(
            bench.violation(registers(RAM.end)).cause,
            Cause::Absent,
            "{what}"
        );
        if *may_be_shared {
            let violation = bench.violation(registers(RAM.end | SHARED));
            assert_eq!(violation.cause, Cause::Absent, "{what}");
        }
    }
}

#[test]
fn a_report_needs_memory_that_can_be_written() {
    let bench = Bench::new();
    bench.ram.read_only.set(Some(0x2000));
    let violation = bench.violation(leaf(leaf::MR_REPORT, 0x2000, 0x2000, 0));
    assert_eq!(
        (violation.operand, violation.cause),
        (OperandId::RCX, Cause::Absent)
    );
}

#[test]
fn a_pending_page_is_a_violation_where_ve_is_disabled() {
    let bench = Bench::new();
    for (what, registers, operand, _) in accessed() {
        let violation = bench.violation(registers(PENDING));
        assert_eq!(violation.cause, Cause::Pending, "{what}");
        assert_eq!((violation.operand, violation.gpa), (*operand, Gpa(PENDING)));
    }
}

#[test]
fn a_pending_page_raises_ve_where_it_is_enabled() {
    let parameters = TdParameters {
        attributes: Attributes(0),
        ..parameters()
    };
    let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
    for (what, registers, operand, _) in accessed() {
        let before = registers(PENDING);
        let mut after = before;
        let outcome = bench.td.tdcall(0, &mut after, &bench.ram);
        assert_eq!(
            outcome,
            Outcome::Exception(Exception::Virtualization),
            "{what}"
        );
        assert_eq!(after, before, "{what}");
        // Until the information is fetched, the next one is a double fault.
        let outcome = bench.td.tdcall(0, &mut after, &bench.ram);
        assert_eq!(
            outcome,
            Outcome::Exception(Exception::DoubleFault),
            "{what}"
        );
        let info = bench.succeed(Registers::leaf(leaf::VP_VEINFO_GET));
        let writes = *operand == OperandId::RCX && before.rax == leaf::MR_REPORT;
        let expected = (48, if writes { 3 } else { 1 }, PENDING);
        assert_eq!((info.rcx, info.rdx, info.r9), expected, "{what}");
    }
}

#[test]
fn a_td_can_disable_the_ve_of_pending_pages() {
    let parameters = TdParameters {
        attributes: Attributes(0),
        config_flags: config_flags::FLEXIBLE_PENDING_VE,
        ..parameters()
    };
    let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
    bench.succeed(Registers {
        rdx: 0x1110_0003_0000_0017,
        r8: 1,
        r9: 1,
        ..Registers::leaf(leaf::VM_WR)
    });
    let violation = bench.violation(leaf(leaf::MR_RTMR_EXTEND, PENDING, 0, 0));
    assert_eq!(violation.cause, Cause::Pending);
}

#[test]
fn a_front_end_can_refuse_what_a_host_would_repair() {
    let bench = Bench::new();
    let mut registers = leaf(leaf::MR_REPORT, 0x1000, PENDING, 0);
    bench.violation(registers).refuse(&mut registers);
    assert_eq!(
        Status(registers.rax),
        Status::operand_invalid(OperandId::RDX)
    );
}

#[test]
fn a_violation_says_what_the_matter_is() {
    let bench = Bench::new();
    let text = bench
        .violation(leaf(leaf::MR_RTMR_EXTEND, PENDING, 0, 0))
        .to_string();
    let expected =
        "EPT violation: RCX addresses a private page that was not accepted, GPA 0x400000";
    assert_eq!(text, expected);
}
