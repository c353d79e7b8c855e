// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The trace.

use crate::bench::{leaf, vmcall, Bench, Lines, PENDING, SHARED};
use tdx_call::{leaf, Registers, Vmcall};

/// A TD that is traced.
fn traced() -> Bench {
    let mut bench = Bench::new();
    bench.ram.lines = Some(Lines::default());
    bench
}

/// The line of one call.
#[track_caller]
fn line(mut registers: Registers) -> String {
    let bench = traced();
    let _ = bench.td.tdcall(1, &mut registers, &bench.ram);
    let mut lines = bench.lines();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

#[test]
fn leaves_are_told_in_their_own_terms() {
    let cases = [
        (
            leaf(leaf::MR_REPORT, 0x2400, 0x3000, 0),
            "vcpu 1 TDG.MR.REPORT report=0x2400 reportdata=0x3000 subtype=0 -> TDX_SUCCESS",
        ),
        (
            leaf(leaf::MR_REPORT, 0x2401, 0x3000, 0),
            "vcpu 1 TDG.MR.REPORT report=0x2401 reportdata=0x3000 subtype=0 -> TDX_OPERAND_INVALID (RCX)",
        ),
        (
            Registers::leaf(leaf::VP_INFO),
            "vcpu 1 TDG.VP.INFO -> TDX_SUCCESS gpaw=52 attributes=0x10000000 vcpus=2 max_vcpus=4 index=1",
        ),
        (
            leaf(leaf::MR_RTMR_EXTEND, 0x2000, 2, 0),
            "vcpu 1 TDG.MR.RTMR.EXTEND data=0x2000 index=2 -> TDX_SUCCESS",
        ),
        (
            Registers::leaf(leaf::VP_VEINFO_GET),
            "vcpu 1 TDG.VP.VEINFO.GET -> TDX_NO_VALID_VE_INFO",
        ),
        (
            leaf(leaf::VP_CPUIDVE_SET, 3, 0, 0),
            "vcpu 1 TDG.VP.CPUIDVE.SET supervisor=1 user=1 -> TDX_SUCCESS",
        ),
        (
            leaf(leaf::MEM_PAGE_ACCEPT, PENDING | 1, 0, 0),
            "vcpu 1 TDG.MEM.PAGE.ACCEPT gpa=0x400000 level=1 -> TDX_SUCCESS",
        ),
        (
            leaf(leaf::MEM_PAGE_ACCEPT, 1, 0, 0),
            "vcpu 1 TDG.MEM.PAGE.ACCEPT gpa=0x0 level=1 -> TDX_PAGE_ALREADY_ACCEPTED (1)",
        ),
        (
            leaf(leaf::VM_RD, 0, 0x1310_0003_0000_0047, 0),
            "vcpu 1 TDG.VM.RD field=RTMR[7] -> TDX_SUCCESS value=0x0",
        ),
        (
            leaf(leaf::VM_RD | (1 << 16), 0, 0x1110_0003_0000_0000, 0),
            "vcpu 1 TDG.VM.RD version=0x1 field=ATTRIBUTES -> TDX_SUCCESS value=0x10000000",
        ),
        (
            Registers {
                r9: u64::MAX,
                ..leaf(leaf::VM_WR, 0, 0x9100_0000_0000_0010, 0)
            },
            "vcpu 1 TDG.VM.WR field=NOTIFY_ENABLES value=0x0 mask=0xffffffffffffffff -> TDX_SUCCESS old=0x0",
        ),
        (
            leaf(leaf::VM_RD, 0, 0x1110_0003_0000_1234, 0),
            "vcpu 1 TDG.VM.RD field=0x1110000300001234 -> TDX_METADATA_FIELD_ID_INCORRECT",
        ),
        (
            leaf(leaf::SYS_RD, 0, 0x0800_0002_0000_0000, 0),
            "vcpu 1 TDG.SYS.RD field=VENDOR_ID -> TDX_SUCCESS value=0x8086 next=0x800000100000003",
        ),
        (
            leaf(leaf::MR_VERIFYREPORT, 0x2000, 0, 0),
            "vcpu 1 TDG.MR.VERIFYREPORT reportmacstruct=0x2000 -> TDX_INVALID_CPUSVN",
        ),
        (
            leaf(leaf::MEM_PAGE_ATTR_RD, 0x1234, 0, 0),
            "vcpu 1 TDG.MEM.PAGE.ATTR.RD gpa=0x1234 -> TDX_SUCCESS page=0x1 attributes=0x0",
        ),
        (
            leaf(leaf::MEM_PAGE_ATTR_WR, 1, 0, 0),
            "vcpu 1 TDG.MEM.PAGE.ATTR.WR gpa=0x0 level=1 attributes=0x0 flags=0x0 -> TDX_SUCCESS page=0x1 attributes=0x0",
        ),
        (
            Registers::leaf(0x77),
            "vcpu 1 leaf 0x77 -> TDX_OPERAND_INVALID (RAX)",
        ),
        (
            leaf(leaf::MR_RTMR_EXTEND, PENDING, 0, 0),
            "vcpu 1 TDG.MR.RTMR.EXTEND data=0x400000 index=0 -> EPT violation: RCX addresses a private page \
             that was not accepted, GPA 0x400000",
        ),
    ];
    for (registers, expected) in cases {
        assert_eq!(line(registers), expected);
    }
}

#[test]
fn calls_to_the_host_are_told_in_their_own_terms() {
    let io = |r13| Registers {
        r14: 0x3f8,
        r15: 0x41,
        ..vmcall(Vmcall::IO, 1, r13)
    };
    let unsupported = "-> TDX_SUCCESS, TDG.VP.VMCALL_SUBFUNC_UNSUPPORTED";
    let cases = [
        (
            vmcall(Vmcall::MAP_GPA, 0x1000 | SHARED, 0x1000),
            "<MapGPA> start=0x8000000001000 size=0x1000 -> TDX_SUCCESS, TDG.VP.VMCALL_SUCCESS"
                .to_owned(),
        ),
        (
            vmcall(Vmcall::HLT, 1, 0),
            "<Instruction.HLT> interrupts_blocked=1 -> TDX_SUCCESS, TDG.VP.VMCALL_SUCCESS"
                .to_owned(),
        ),
        (
            io(1),
            format!("<Instruction.IO> out port=0x3f8 size=1 value=0x41 {unsupported} value=0x1e"),
        ),
        (
            io(0),
            format!("<Instruction.IO> in port=0x3f8 size=1 {unsupported} value=0x1e"),
        ),
        (
            vmcall(Vmcall::GET_QUOTE, SHARED, 0x4000),
            "<GetQuote> buffer=0x8000000000000 size=0x4000 -> TDX_SUCCESS, TDG.VP.VMCALL_INVALID_OPERAND"
                .to_owned(),
        ),
        (
            vmcall(0x1234, 1, 2),
            format!("<0x1234> mask=0xfc00 r10=0x0 r12=0x1 r13=0x2 r14=0x0 r15=0x0 {unsupported}"),
        ),
    ];
    for (registers, expected) in cases {
        assert_eq!(line(registers), format!("vcpu 1 TDG.VP.VMCALL{expected}"));
    }
}

#[test]
fn a_function_that_the_host_does_not_see_is_not_named() {
    let registers = Registers {
        rcx: 0,
        ..vmcall(Vmcall::MAP_GPA, 1, 2)
    };
    assert!(line(registers).starts_with("vcpu 1 TDG.VP.VMCALL<0x0> mask=0x0"));
}

#[test]
fn an_exception_is_told() {
    let bench = traced();
    bench.ram.in_64_bit_mode.set(false);
    let mut registers = Registers::leaf(leaf::VP_INFO);
    let _ = bench.td.tdcall(0, &mut registers, &bench.ram);
    assert_eq!(bench.lines(), ["vcpu 0 TDG.VP.INFO -> exception 13"]);
}

#[test]
fn a_trace_gets_what_it_wants() {
    let mut bench = Bench::new();
    bench.ram.lines = Some(Lines {
        without: Some(Vmcall::HLT),
        ..Lines::default()
    });
    bench.succeed(vmcall(Vmcall::HLT, 0, 0));
    bench.succeed(vmcall(Vmcall::GET_QUOTE, 0, 0));
    bench.succeed(Registers::leaf(leaf::VP_INFO));
    assert_eq!(bench.lines().len(), 2);
}
