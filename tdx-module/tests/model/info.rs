// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.INFO, TDG.VP.VEINFO.GET and TDG.VP.CPUIDVE.SET.

use crate::bench::{leaf, parameters, Bench};
use tdx_call::{leaf, OperandId, Registers, Status};
use tdx_module::{CpuidVe, Exception, Generation, HostPolicy, Platform, TdParameters, VeInfo};
use tdx_uapi::Attributes;

#[test]
fn vp_info_tells_what_the_td_is() {
    let bench = Bench::new();
    let mut registers = Registers {
        r11: 1,
        ..Registers::leaf(leaf::VP_INFO)
    };
    let _ = bench.td.tdcall(1, &mut registers, &bench.ram);
    let expected = Registers {
        rcx: 52,
        rdx: 1 << 28,
        r8: 2 | (4 << 32),
        r9: 1,
        r10: 1,
        ..Registers::default()
    };
    assert_eq!(registers, expected);
}

#[test]
fn vp_info_tells_the_address_width_and_that_tdx_1_0_has_no_sys_rd() {
    for (gpa_width, generation, sys_rd) in [(48, Generation::Tdx10, 0), (53, Generation::Tdx15, 1)]
    {
        let parameters = TdParameters {
            gpa_width,
            attributes: Attributes(u64::MAX),
            ..parameters()
        };
        let platform = Platform {
            generation,
            ..Platform::default()
        };
        let bench = Bench::with(parameters, platform, HostPolicy::default());
        let after = bench.succeed(Registers::leaf(leaf::VP_INFO));
        assert_eq!((after.rcx, after.rdx), (gpa_width.into(), u64::MAX));
        assert_eq!(after.r10, sys_rd);
    }
}

const VE: VeInfo = VeInfo {
    exit_reason: 10,
    exit_qualification: 0x11,
    gla: 0x22,
    gpa: 0x33,
    instruction_length: 2,
    instruction_info: 0x44,
};

/// TDG.VP.VEINFO.GET with something in every output.
fn veinfo_get() -> Registers {
    Registers {
        rcx: 1,
        rdx: 2,
        r8: 3,
        r9: 4,
        r10: 5,
        r11: 6,
        ..Registers::leaf(leaf::VP_VEINFO_GET)
    }
}

#[test]
fn without_a_ve_the_outputs_are_zero() {
    let after = Bench::new().call(veinfo_get());
    let expected = Registers {
        rax: Status::NO_VALID_VE_INFO.0,
        r11: 6,
        ..Registers::default()
    };
    assert_eq!(after, expected);
    assert_eq!(after.rax, 0xc000_0704_0000_0000);
}

#[test]
fn a_ve_is_told_once() {
    let bench = Bench::new();
    assert_eq!(bench.td.raise_ve(0, VE), Exception::Virtualization);
    let expected = Registers {
        rcx: 10,
        rdx: 0x11,
        r8: 0x22,
        r9: 0x33,
        r10: 2 | (0x44 << 32),
        r11: 6,
        ..Registers::default()
    };
    assert_eq!(bench.call(veinfo_get()), expected);
    assert_eq!(bench.status(veinfo_get()), Status::NO_VALID_VE_INFO);
}

#[test]
fn a_second_ve_is_a_double_fault_and_leaves_the_first() {
    let bench = Bench::new();
    assert_eq!(bench.td.raise_ve(0, VE), Exception::Virtualization);
    assert_eq!(
        bench.td.raise_ve(0, VeInfo::default()),
        Exception::DoubleFault
    );
    assert_eq!(bench.succeed(veinfo_get()).rcx, 10);
    assert_eq!(bench.td.raise_ve(0, VE), Exception::Virtualization);
}

#[test]
fn a_ve_is_one_vcpus() {
    let bench = Bench::new();
    assert_eq!(bench.td.raise_ve(1, VE), Exception::Virtualization);
    assert_eq!(bench.status(veinfo_get()), Status::NO_VALID_VE_INFO);
}

#[test]
fn cpuidve_set_takes_two_bits() {
    let bench = Bench::new();
    for (rcx, supervisor, user) in [
        (1, true, false),
        (2, false, true),
        (3, true, true),
        (0, false, false),
    ] {
        bench.succeed(leaf(leaf::VP_CPUIDVE_SET, rcx, 0, 0));
        assert_eq!(bench.td.cpuid_ve(0), CpuidVe { supervisor, user });
        assert_eq!(bench.td.cpuid_ve(1), CpuidVe::default());
    }
}

#[test]
fn cpuidve_set_refuses_other_bits_and_changes_nothing() {
    let bench = Bench::new();
    for bit in 2..64 {
        let status = bench.status(leaf(leaf::VP_CPUIDVE_SET, 1 | (1 << bit), 0, 0));
        assert_eq!(status, Status::operand_invalid(OperandId::RCX), "bit {bit}");
        assert_eq!(bench.td.cpuid_ve(0), CpuidVe::default());
    }
}
