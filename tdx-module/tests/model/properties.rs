// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What holds whatever a TD calls.

use crate::bench::{parameters, Bench, PENDING, RAM, SHARED};
use proptest::prelude::*;
use tdx_call::{leaf, Registers, Status};
use tdx_module::{HostPolicy, Outcome, Platform, TdParameters};
use tdx_uapi::Attributes;

/// The registers by their numbers in the CPU; RSP and RBP are not there.
fn by_number(registers: &Registers) -> [(u32, u64); 14] {
    [
        (0, registers.rax),
        (1, registers.rcx),
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

/// The registers that a call may change besides RAX, as a mask.
fn outputs(registers: &Registers) -> u64 {
    match registers.rax & 0xffff {
        leaf::VP_VMCALL => registers.rcx & 0xffff,
        leaf::VP_INFO => (1 << 1) | (1 << 2) | (1 << 8) | (1 << 9) | (1 << 10) | (1 << 11),
        leaf::VP_VEINFO_GET => (1 << 1) | (1 << 2) | (1 << 8) | (1 << 9) | (1 << 10),
        leaf::VM_RD if (registers.rax >> 16) & 0xff == 0 => 1 << 8,
        leaf::VM_RD | leaf::SYS_RD => (1 << 2) | (1 << 8),
        leaf::VM_WR => 1 << 8,
        leaf::MEM_PAGE_ATTR_RD | leaf::MEM_PAGE_ATTR_WR => (1 << 1) | (1 << 2),
        _ => 0,
    }
}

/// A register's value: anything, or what a leaf may have a use for.
fn value() -> impl Strategy<Value = u64> {
    let page = 0..RAM.end / 0x1000 + 8;
    let address = (page, 0..8_u64, any::<bool>()).prop_map(|(page, low, shared)| {
        (page * 0x1000) | (low * 0x40) | if shared { SHARED } else { 0 }
    });
    prop_oneof![
        4 => address,
        2 => 0..16_u64,
        1 => any::<u64>(),
        1 => (0..64_u32).prop_map(|bit| 1 << bit),
        1 => Just(PENDING | 1),
        1 => Just(0xfffc),
        1 => 0x10000..0x10007_u64,
        1 => prop::sample::select(vec![
            0x1110_0003_0000_0000, 0x1110_0003_0000_0017, 0x9110_0003_0000_0010, u64::MAX,
        ]),
    ]
}

fn rax() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 0..30_u64,
        1 => (0..30_u64).prop_map(|leaf| leaf | (1 << 16)),
        1 => any::<u64>(),
    ]
}

fn registers() -> impl Strategy<Value = Registers> {
    (rax(), prop::array::uniform13(value())).prop_map(|(rax, values)| {
        let [rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = values;
        Registers {
            rax,
            rbx,
            rcx,
            rdx,
            rsi,
            rdi,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Runs 64 calls of each TD, so that one finds what others left.
    #[test]
    fn no_call_panics_or_changes_what_is_no_output(
        calls in prop::collection::vec(registers(), 64),
        attributes in any::<bool>(),
        large_pages in any::<bool>(),
    ) {
        let attributes = Attributes(if attributes { 1 << 28 } else { 0 });
        let parameters = TdParameters { attributes, ..parameters() };
        let host = HostPolicy { large_pages, map_gpa_limit: Some(700), ..HostPolicy::default() };
        let bench = Bench::with(parameters, Platform::default(), host);
        for before in calls {
            let mut after = before;
            let outcome = bench.td.tdcall(0, &mut after, &bench.ram);
            let mut may_change = outputs(&before) | 1;
            if outcome != Outcome::Completed {
                may_change = 0;
            }
            for ((number, old), (_, new)) in by_number(&before).into_iter().zip(by_number(&after)) {
                prop_assert!(
                    old == new || (may_change >> number) & 1 != 0,
                    "register {}: {:#x} became {:#x}\n{:x?}\n{:x?}", number, old, new, before, outcome
                );
            }
        }
    }

    #[test]
    fn a_call_that_is_refused_for_an_operand_changes_no_memory(before in registers()) {
        let bench = Bench::new();
        let pages: Vec<u64> = (0..RAM.end).step_by(0x1000).collect();
        for page in &pages {
            bench.ram.put(*page, &[0xa5; 64]);
        }
        let mut after = before;
        let outcome = bench.td.tdcall(0, &mut after, &bench.ram);
        if outcome != Outcome::Completed || Status(after.rax).is_error() {
            for page in pages {
                prop_assert_eq!(bench.ram.get::<64>(page), [0xa5; 64]);
            }
        }
    }
}
