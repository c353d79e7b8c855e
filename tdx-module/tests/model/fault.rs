// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Faults on demand.

use crate::bench::{leaf, vmcall, Bench, SHARED};
use tdx_call::{leaf, Gpa, OperandId, Registers, RtmrIndex, Status, Vmcall, VmcallStatus};
use tdx_module::{Fault, FaultAnswer, FaultTarget, PageState};
use tdx_uapi::Digest;

const BUSY: Status = Status::operand_busy(OperandId::RTMR);

fn fault(target: FaultTarget, answer: FaultAnswer) -> Fault {
    Fault {
        target,
        answer,
        after: 0,
        times: None,
    }
}

fn extend() -> Registers {
    leaf(leaf::MR_RTMR_EXTEND, 0x1000, 0, 0)
}

#[test]
fn a_rule_hits_after_some_calls_and_some_times() {
    let bench = Bench::new();
    bench.td.inject(Fault {
        after: 2,
        times: Some(3),
        ..fault(
            FaultTarget::Leaf(leaf::MR_RTMR_EXTEND),
            FaultAnswer::Status(BUSY),
        )
    });
    let failed: Vec<_> = (0..8).map(|_| bench.status(extend()) == BUSY).collect();
    assert_eq!(
        failed,
        [false, false, true, true, true, false, false, false]
    );
}

#[test]
fn a_rule_without_an_end_hits_until_it_is_removed() {
    let bench = Bench::new();
    let status = Status(0xffff_ffff_1234_5678);
    bench.td.inject(fault(
        FaultTarget::Leaf(leaf::MR_RTMR_EXTEND),
        FaultAnswer::Status(status),
    ));
    assert!((0..100).all(|_| bench.status(extend()) == status));
    bench.td.clear_faults();
    bench.succeed(extend());
}

#[test]
fn a_call_that_a_rule_hits_changes_nothing_but_rax() {
    let bench = Bench::new();
    bench.ram.put(0x2000, &[0xee; 1024]);
    let calls = [
        extend(),
        leaf(leaf::MR_REPORT, 0x2000, 0x3000, 0),
        leaf(leaf::MEM_PAGE_ACCEPT, 0x40_0000, 0, 0),
        leaf(leaf::VM_RD, 0, 0x1110_0003_0000_0000, 7),
        leaf(leaf::VP_INFO, 1, 2, 3),
        vmcall(Vmcall::MAP_GPA, 0x1000 | SHARED, 0x1000),
    ];
    for before in calls {
        bench.td.inject(fault(
            FaultTarget::Leaf(before.rax),
            FaultAnswer::Status(BUSY),
        ));
        assert_eq!(
            bench.call(before),
            Registers {
                rax: BUSY.0,
                ..before
            }
        );
    }
    assert_eq!(bench.td.rtmr(RtmrIndex::Rtmr0), Digest::ZERO);
    assert_eq!(bench.ram.get::<1024>(0x2000), [0xee; 1024]);
    assert_eq!(
        bench.td.page_state(Gpa(0x40_0000)),
        Some(PageState::Pending)
    );
    assert_ne!(bench.td.page_state(Gpa(0x1000)), Some(PageState::Shared));
}

#[test]
fn a_rule_leaves_other_leaves_alone() {
    let bench = Bench::new();
    bench.td.inject(fault(
        FaultTarget::Leaf(leaf::MR_REPORT),
        FaultAnswer::Status(BUSY),
    ));
    bench.succeed(extend());
    bench.succeed(Registers::leaf(leaf::VP_INFO));
}

#[test]
fn a_rule_about_a_function_leaves_other_functions_alone() {
    let bench = Bench::new();
    let answer = FaultAnswer::Host(VmcallStatus::GPA_INUSE);
    bench
        .td
        .inject(fault(FaultTarget::Vmcall(Vmcall::HLT), answer));
    let before = vmcall(Vmcall::HLT, 0, 0);
    let after = bench.succeed(before);
    let expected = Registers {
        r10: VmcallStatus::GPA_INUSE.0,
        ..before
    };
    assert_eq!(after, expected);
    assert!(bench.ram.slept.borrow().is_empty());
    bench.map(0x1000 | SHARED, 0x1000);
}

#[test]
fn a_function_can_be_made_to_fail_in_the_module_too() {
    let bench = Bench::new();
    bench.td.inject(fault(
        FaultTarget::Vmcall(Vmcall::HLT),
        FaultAnswer::Status(BUSY),
    ));
    assert_eq!(bench.status(vmcall(Vmcall::HLT, 0, 0)), BUSY);
    bench.map(0x1000 | SHARED, 0x1000);
}

#[test]
fn a_retry_of_map_gpa_resumes_at_the_start() {
    let bench = Bench::new();
    bench.td.inject(Fault {
        times: Some(1),
        ..fault(
            FaultTarget::Vmcall(Vmcall::MAP_GPA),
            FaultAnswer::Host(VmcallStatus::RETRY),
        )
    });
    assert_eq!(bench.map_gpa(0x1000 | SHARED, 0x1000), (1, 0x1000 | SHARED));
    bench.map(0x1000 | SHARED, 0x1000);
}

#[test]
fn a_host_status_is_not_written_to_a_register_that_is_not_exposed() {
    let bench = Bench::new();
    let answer = FaultAnswer::Host(VmcallStatus::GPA_INUSE);
    bench
        .td
        .inject(fault(FaultTarget::Vmcall(Vmcall::HLT), answer));
    let before = Registers {
        rcx: 1 << 11,
        r10: 5,
        ..vmcall(Vmcall::HLT, 0, 0)
    };
    assert_eq!(bench.succeed(before).r10, 5);
}

#[test]
fn the_first_rule_answers_and_all_rules_count() {
    let bench = Bench::new();
    let leaf = FaultTarget::Leaf(leaf::MR_RTMR_EXTEND);
    let invalid = Status::operand_invalid(OperandId::RCX);
    bench.td.inject(Fault {
        times: Some(1),
        ..fault(leaf, FaultAnswer::Status(BUSY))
    });
    bench.td.inject(Fault {
        times: Some(2),
        ..fault(leaf, FaultAnswer::Status(invalid))
    });
    let statuses = [0; 3].map(|_| bench.status(extend()));
    assert_eq!(statuses, [BUSY, invalid, Status::SUCCESS]);
}

#[test]
fn what_is_no_leaf_fails_by_itself() {
    let bench = Bench::new();
    bench.td.inject(fault(
        FaultTarget::Leaf(leaf::MR_RTMR_EXTEND),
        FaultAnswer::Status(BUSY),
    ));
    let status = bench.status(Registers {
        rax: leaf::MR_RTMR_EXTEND | (1 << 16),
        ..extend()
    });
    assert_eq!(status, Status::operand_invalid(OperandId::RAX));
}
