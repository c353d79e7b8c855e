// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MEM.PAGE.ACCEPT.

use crate::bench::{leaf, parameters, Bench, PENDING, RAM, SHARED};
use crate::order::{self, Failure};
use tdx_call::{leaf, Gpa, OperandId, PageSize, Registers, Status};
use tdx_module::{Cause, HostPolicy, PageState, Platform, RamRange, RamState, TdParameters};

const INVALID: Status = Status::operand_invalid(OperandId::RCX);
const ALREADY_4K: Status = Status(0x0000_0b0a_0000_0000);
const ALREADY_2M: Status = Status(0x0000_0b0a_0000_0001);
const MISMATCH: Status = Status(0xc000_0b0b_0000_0001);
const SMALL: PageState = PageState::Accepted(PageSize::Size4K);
const LARGE: PageState = PageState::Accepted(PageSize::Size2M);

fn accept(gpa: u64, level: u64) -> Registers {
    leaf(leaf::MEM_PAGE_ACCEPT, gpa | level, 0, 0)
}

fn state(bench: &Bench, gpa: u64) -> Option<PageState> {
    bench.td.page_state(Gpa(gpa))
}

#[test]
fn failures_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "a reserved bit is set",
            spoil: |registers| registers.rcx |= 8,
            status: INVALID,
        },
        Failure {
            what: "the page is 1 GiB",
            spoil: |registers| registers.rcx |= 2,
            status: INVALID,
        },
        Failure {
            what: "the page is shared",
            spoil: |registers| registers.rcx |= SHARED,
            status: INVALID,
        },
        Failure {
            what: "the page is accepted already",
            spoil: |registers| registers.rcx &= !PENDING,
            status: ALREADY_2M,
        },
    ];
    order::check(Bench::new, accept(PENDING, 0), &failures);
}

#[test]
fn reserved_bits_and_levels_above_1_are_refused() {
    let bench = Bench::new();
    for bit in (3..12).chain(52..64) {
        assert_eq!(
            bench.status(accept(PENDING | (1 << bit), 0)),
            INVALID,
            "bit {bit}"
        );
    }
    for level in 2..8 {
        assert_eq!(bench.status(accept(0, level)), INVALID, "level {level}");
    }
    assert_eq!(state(&bench, PENDING), Some(PageState::Pending));
}

#[test]
fn a_large_page_must_be_aligned() {
    let bench = Bench::new();
    for gpa in [PENDING + 0x1000, PENDING + 0x10_0000] {
        assert_eq!(bench.status(accept(gpa, 1)), INVALID);
    }
    bench.succeed(accept(PENDING, 1));
}

#[test]
fn accepting_zeroes_the_page_and_no_more() {
    let bench = Bench::new();
    bench.ram.put(PENDING, &[0xff; 0x4000]);
    bench.succeed(accept(PENDING + 0x1000, 0));
    assert_eq!(bench.ram.get::<0x1000>(PENDING), [0xff; 0x1000]);
    assert_eq!(bench.ram.get::<0x1000>(PENDING + 0x1000), [0; 0x1000]);
    assert_eq!(bench.ram.get::<0x1000>(PENDING + 0x2000), [0xff; 0x1000]);
    assert_eq!(state(&bench, PENDING), Some(PageState::Pending));
    assert_eq!(state(&bench, PENDING + 0x1000), Some(SMALL));
}

#[test]
fn accepting_2_mib_zeroes_all_of_it() {
    let bench = Bench::new();
    bench.ram.put(PENDING, &vec![0xff; 0x40_0000]);
    bench.succeed(accept(PENDING + 0x20_0000, 1));
    assert_eq!(bench.ram.get::<1>(PENDING + 0x1f_ffff), [0xff]);
    for page in (PENDING + 0x20_0000..PENDING + 0x40_0000).step_by(0x1000) {
        assert_eq!(bench.ram.get::<0x1000>(page), [0; 0x1000], "page {page:#x}");
    }
    assert_eq!(state(&bench, PENDING + 0x3f_f000), Some(LARGE));
}

#[test]
fn what_is_accepted_keeps_its_content_and_is_no_error() {
    let bench = Bench::new();
    bench.ram.put(0x1000, &[0xff; 0x1000]);
    assert_eq!(bench.status(accept(0x1000, 0)), ALREADY_2M);
    assert!(!ALREADY_2M.is_error());
    assert_eq!(bench.ram.get::<0x1000>(0x1000), [0xff; 0x1000]);
}

#[test]
fn the_level_of_what_is_accepted_is_that_of_its_mapping() {
    let bench = Bench::new();
    bench.succeed(accept(PENDING, 0));
    bench.succeed(accept(PENDING + 0x20_0000, 1));
    assert_eq!(bench.status(accept(PENDING, 0)), ALREADY_4K);
    assert_eq!(bench.status(accept(PENDING + 0x20_0000, 0)), ALREADY_2M);
    assert_eq!(bench.status(accept(PENDING + 0x20_0000, 1)), ALREADY_2M);
}

#[test]
fn two_mib_of_4_kib_pages_are_a_size_mismatch() {
    let bench = Bench::new();
    bench.ram.put(PENDING, &[0xff; 0x2000]);
    bench.succeed(accept(PENDING, 0));
    assert_eq!(bench.status(accept(PENDING, 1)), MISMATCH);
    // Nothing was accepted or zeroed.
    assert_eq!(state(&bench, PENDING + 0x1000), Some(PageState::Pending));
    assert_eq!(bench.ram.get::<1>(PENDING + 0x1000), [0xff]);
    for page in 1..512 {
        bench.succeed(accept(PENDING + page * 0x1000, 0));
    }
    // All of it is accepted now, but not as one page.
    assert_eq!(bench.status(accept(PENDING, 1)), MISMATCH);
}

#[test]
fn a_host_without_large_pages_gives_a_size_mismatch() {
    let host = HostPolicy {
        large_pages: false,
        ..HostPolicy::default()
    };
    let bench = Bench::with(parameters(), Platform::default(), host);
    assert_eq!(bench.status(accept(PENDING, 1)), MISMATCH);
    bench.succeed(accept(PENDING, 0));
    assert_eq!(bench.status(accept(0, 0)), ALREADY_4K);
    assert_eq!(bench.status(accept(0, 1)), MISMATCH);
}

#[test]
fn two_mib_that_memory_does_not_fill_are_a_size_mismatch() {
    let parameters = TdParameters {
        ram: vec![RamRange {
            range: 0..0x10_0000,
            state: RamState::Pending,
        }],
        ..parameters()
    };
    let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
    assert_eq!(bench.status(accept(0, 1)), MISMATCH);
    bench.succeed(accept(0xf_f000, 0));
}

#[test]
fn there_is_nothing_to_accept_in_shared_memory_or_in_none() {
    let bench = Bench::new();
    bench.map(PENDING | SHARED, 0x40_0000);
    for level in [0, 1] {
        assert_eq!(bench.violation(accept(PENDING, level)).cause, Cause::Shared);
        assert_eq!(bench.violation(accept(RAM.end, level)).cause, Cause::Absent);
    }
}

#[test]
fn memory_that_cannot_be_written_stays_pending() {
    let bench = Bench::new();
    bench.ram.read_only.set(Some(PENDING + 0x5000));
    assert_eq!(bench.violation(accept(PENDING, 1)).cause, Cause::Absent);
    assert_eq!(state(&bench, PENDING), Some(PageState::Pending));
}

#[test]
fn memory_that_was_shared_is_pending_and_zero_once_accepted() {
    let bench = Bench::new();
    bench.map(0x1000 | SHARED, 0x1000);
    bench.ram.put(0x1000, &[0xff; 0x1000]);
    bench.map(0x1000, 0x1000);
    let extend = leaf(leaf::MR_RTMR_EXTEND, 0x1000, 0, 0);
    assert_eq!(bench.violation(extend).cause, Cause::Pending);
    bench.succeed(accept(0x1000, 0));
    assert_eq!(bench.ram.get::<0x1000>(0x1000), [0; 0x1000]);
    bench.succeed(extend);
}
