// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.VMCALL<MapGPA>, as the default host answers it.

use crate::bench::{parameters, vmcall, Bench, PENDING, RAM, SHARED};
use crate::order::{self, Failure};
use tdx_call::{Gpa, PageSize, Registers, Status, Vmcall, VmcallStatus};
use tdx_module::{HostPolicy, PageState, Platform};

const INVALID: u64 = VmcallStatus::INVALID_OPERAND.0;
const ALIGN: u64 = VmcallStatus::ALIGN_ERROR.0;
const RETRY: u64 = VmcallStatus::RETRY.0;
const SMALL: PageState = PageState::Accepted(PageSize::Size4K);
const LARGE: PageState = PageState::Accepted(PageSize::Size2M);

fn state(bench: &Bench, gpa: u64) -> PageState {
    bench.td.page_state(Gpa(gpa)).expect("memory")
}

#[test]
fn pages_become_what_the_shared_bit_says() {
    let bench = Bench::new();
    bench.map(0x3000 | SHARED, 0x2000);
    let states = [0x2000, 0x3000, 0x4000, 0x5000].map(|gpa| state(&bench, gpa));
    assert_eq!(states, [SMALL, PageState::Shared, PageState::Shared, SMALL]);
    bench.map(0x4000, 0x1000);
    let states = [0x2000, 0x3000, 0x4000, 0x5000].map(|gpa| state(&bench, gpa));
    assert_eq!(
        states,
        [SMALL, PageState::Shared, PageState::Pending, SMALL]
    );
}

#[test]
fn a_part_of_a_large_page_leaves_the_rest_accepted_in_small_ones() {
    let bench = Bench::new();
    bench.map(0x20_3000 | SHARED, 0x1000);
    let states = [0x1f_f000, 0x20_0000, 0x20_2000, 0x20_3000, 0x3f_f000];
    let expected = [LARGE, SMALL, SMALL, PageState::Shared, SMALL];
    assert_eq!(states.map(|gpa| state(&bench, gpa)), expected);
}

#[test]
fn what_is_asked_for_already_stays() {
    let bench = Bench::new();
    bench.map(0, RAM.end);
    assert_eq!(
        [0x1000, PENDING].map(|gpa| state(&bench, gpa)),
        [LARGE, PageState::Pending]
    );
    bench.map(SHARED, RAM.end);
    bench.map(0x1000 | SHARED, 0x1000);
    assert_eq!(
        [0x1000, PENDING].map(|gpa| state(&bench, gpa)),
        [PageState::Shared; 2]
    );
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let cases = [
        ("no pages", 0x1000, 0, INVALID),
        ("no pages that are shared", 0x1000 | SHARED, 0, INVALID),
        ("an end beyond 64 bits", !0xfff, 0x2000, INVALID),
        ("an end at 64 bits", !0xfff, 0x1000, INVALID),
        ("a start beyond the address width", 1 << 52, 0x1000, INVALID),
        (
            "an end beyond the address width",
            SHARED,
            (1 << 51) | 0x1000,
            INVALID,
        ),
        (
            "private pages up to shared ones",
            SHARED - 0x1000,
            0x2000,
            INVALID,
        ),
        (
            "unaligned private pages up to shared ones",
            SHARED - 0x1800,
            0x2000,
            INVALID,
        ),
        ("a start within a page", 0x1800, 0x1000, ALIGN),
        ("an end within a page", 0x1000, 0x1800, ALIGN),
        ("a size of less than a page", 0x1000 | SHARED, 1, ALIGN),
        ("private pages that are no memory", RAM.end, 0x1000, INVALID),
        (
            "private pages beyond memory",
            RAM.end - 0x1000,
            0x2000,
            INVALID,
        ),
        ("all private pages", 0, SHARED, INVALID),
    ];
    for (what, start, size, status) in cases {
        let before = vmcall(Vmcall::MAP_GPA, start, size);
        let after = bench.succeed(before);
        assert_eq!(
            after,
            Registers {
                r10: status,
                rax: 0,
                ..before
            },
            "{what}"
        );
        assert_eq!(state(&bench, 0x1000), LARGE);
    }
}

#[test]
fn device_memory_may_be_asked_to_be_shared() {
    let bench = Bench::new();
    bench.map(RAM.end | SHARED, 0x10_0000);
    bench.map(SHARED, SHARED);
    assert_eq!(bench.td.page_state(Gpa(RAM.end)), None);
    assert_eq!(state(&bench, 0x1000), PageState::Shared);
}

#[test]
fn a_host_that_stops_after_some_pages_says_where_to_resume() {
    let host = HostPolicy {
        map_gpa_limit: Some(512),
        ..HostPolicy::default()
    };
    let bench = Bench::with(parameters(), Platform::default(), host);
    let end = (0x1000 | SHARED) + 0x30_0000;
    let (mut start, mut rounds) = (0x1000 | SHARED, 0);
    loop {
        match bench.map_gpa(start, end - start) {
            (RETRY, resume) => {
                assert_eq!(resume, start + 0x20_0000);
                let (done, next) = (resume - 0x1000, resume);
                assert_eq!(state(&bench, done & !SHARED), PageState::Shared);
                assert_ne!(state(&bench, next & !SHARED), PageState::Shared);
                start = resume;
            }
            status => {
                assert_eq!(status, (0, Vmcall::MAP_GPA));
                break;
            }
        }
        rounds += 1;
    }
    assert_eq!(rounds, 1);
    assert_eq!(state(&bench, 0x30_0000), PageState::Shared);
    assert_eq!(state(&bench, 0x30_1000), SMALL);
}

#[test]
fn a_range_within_the_limit_is_done_at_once() {
    let host = HostPolicy {
        map_gpa_limit: Some(512),
        ..HostPolicy::default()
    };
    let bench = Bench::with(parameters(), Platform::default(), host);
    bench.map(SHARED, 512 * 0x1000);
}

#[test]
fn the_modules_own_checks_come_before_the_hosts() {
    let failures = [Failure {
        what: "RAX is exposed",
        spoil: |registers| registers.rcx |= 1,
        status: Status::operand_invalid(tdx_call::OperandId::RCX),
    }];
    order::check(Bench::new, vmcall(Vmcall::MAP_GPA, 1, 1), &failures);
}
