// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the default host answers.

use crate::bench::{parameters, vmcall, Bench};
use std::time::Duration;
use tdx_call::{Registers, Vmcall, VmcallStatus};
use tdx_module::{HostPolicy, Platform};

const UNSUPPORTED: u64 = VmcallStatus::SUBFUNC_UNSUPPORTED.0;
const INVALID: u64 = VmcallStatus::INVALID_OPERAND.0;

#[test]
fn what_needs_a_machine_is_not_supported() {
    let bench = Bench::new();
    let functions = [
        Vmcall::CPUID,
        Vmcall::IO,
        Vmcall::RDMSR,
        Vmcall::WRMSR,
        Vmcall::MMIO,
        Vmcall::REPORT_FATAL_ERROR,
        Vmcall::SERVICE,
        0,
        0x10006,
        u64::MAX,
    ];
    for function in functions {
        // An address or a port of a device.
        let device = if function == Vmcall::MMIO {
            0xfee0_0000
        } else {
            0x70
        };
        let before = Registers {
            r14: device,
            ..vmcall(function, 1, 1)
        };
        let after = bench.succeed(before);
        let expected = Registers {
            rax: 0,
            r10: UNSUPPORTED,
            ..before
        };
        assert_eq!(after, expected, "function {function:#x}");
    }
}

#[test]
fn what_is_not_the_ghcis_is_not_supported() {
    let before = Registers {
        r10: 1,
        ..vmcall(Vmcall::HLT, 0, 0)
    };
    assert_eq!(Bench::new().succeed(before).r10, UNSUPPORTED);
}

#[test]
fn hlt_naps() {
    let bench = Bench::new();
    assert_eq!(bench.succeed(vmcall(Vmcall::HLT, 1, 0)).r10, 0);
    assert_eq!(*bench.ram.slept.borrow(), [Duration::from_micros(500)]);
    let host = HostPolicy {
        hlt_nap: Duration::from_millis(3),
        ..HostPolicy::default()
    };
    let bench = Bench::with(parameters(), Platform::default(), host);
    bench.succeed(vmcall(Vmcall::HLT, 0, 0));
    assert_eq!(*bench.ram.slept.borrow(), [Duration::from_millis(3)]);
}

#[test]
fn there_is_every_function_that_is_mandatory_and_one_that_is_optional() {
    let bench = Bench::new();
    // Bit 1: SetupEventNotifyInterrupt.
    for (leaf, r11) in [(0, 0), (1, 0b10)] {
        let before = Registers {
            r14: 7,
            ..vmcall(Vmcall::GET_TD_VM_CALL_INFO, leaf, 7)
        };
        let after = bench.succeed(before);
        let expected = Registers {
            rcx: before.rcx,
            r11,
            ..Registers::default()
        };
        assert_eq!(after, expected);
    }
    assert_eq!(
        bench.succeed(vmcall(Vmcall::GET_TD_VM_CALL_INFO, 2, 0)).r10,
        INVALID
    );
}

#[test]
fn notification_vectors_are_those_that_are_no_exceptions() {
    let bench = Bench::new();
    let expected = [
        (31, INVALID),
        (32, 0),
        (255, 0),
        (256, INVALID),
        ((1 << 32) | 32, INVALID),
    ];
    for (vector, status) in expected {
        let after = bench.succeed(vmcall(Vmcall::SETUP_EVENT_NOTIFY_INTERRUPT, vector, 0));
        assert_eq!(after.r10, status, "vector {vector}");
    }
}
