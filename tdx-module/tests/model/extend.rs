// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MR.RTMR.EXTEND.

use crate::bench::{leaf, parameters, Bench};
use crate::order::{self, Failure};
use sha2::{Digest as _, Sha384};
use tdx_call::{leaf, OperandId, RtmrIndex, Status};
use tdx_module::{HostPolicy, Platform, TdParameters};
use tdx_uapi::Digest;

const DATA: u64 = 0x2040;

fn extended(register: Digest, data: &[u8; 48]) -> Digest {
    let hash = Sha384::new().chain_update(register.0).chain_update(data);
    Digest(hash.finalize().into())
}

#[test]
fn failures_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "the data is not aligned to 64 bytes",
            spoil: |registers| registers.rcx |= 0x10,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "the data is shared",
            spoil: |registers| registers.rcx |= 1 << 51,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "there is no such register",
            spoil: |registers| registers.rdx = 4,
            status: Status::operand_invalid(OperandId::RDX),
        },
    ];
    order::check(
        Bench::new,
        leaf(leaf::MR_RTMR_EXTEND, DATA, 3, 0),
        &failures,
    );
}

#[test]
fn all_64_bits_of_the_index_count() {
    let bench = Bench::new();
    for index in [4, 0x100, 1 << 32, (1 << 32) + 1, 1 << 63, u64::MAX] {
        let status = bench.status(leaf(leaf::MR_RTMR_EXTEND, DATA, index, 0));
        assert_eq!(
            status,
            Status::operand_invalid(OperandId::RDX),
            "index {index:#x}"
        );
    }
    assert!(RtmrIndex::ALL
        .iter()
        .all(|index| bench.td.rtmr(*index) == Digest::ZERO));
}

#[test]
fn a_register_starts_at_zero_and_becomes_the_hash_of_itself_and_the_data() {
    let bench = Bench::new();
    let mut expected = [Digest::ZERO; 4];
    for round in 0..3 {
        for index in RtmrIndex::ALL {
            let data = [0x10 * round + index as u8; 48];
            bench.ram.put(DATA, &data);
            bench.succeed(leaf(leaf::MR_RTMR_EXTEND, DATA, index as u64, 0));
            expected[index as usize] = extended(expected[index as usize], &data);
            assert_eq!(RtmrIndex::ALL.map(|index| bench.td.rtmr(index)), expected);
        }
    }
}

#[test]
fn registers_continue_from_what_the_td_was_made_with() {
    let parameters = TdParameters {
        rtmr: [1, 2, 3, 4].map(|byte| Digest([byte; 48])),
        ..parameters()
    };
    let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
    bench.succeed(leaf(leaf::MR_RTMR_EXTEND, DATA, 2, 0));
    assert_eq!(bench.td.rtmr(RtmrIndex::Rtmr1), Digest([2; 48]));
    assert_eq!(
        bench.td.rtmr(RtmrIndex::Rtmr2),
        extended(Digest([3; 48]), &[0; 48])
    );
}

#[test]
fn a_report_shows_the_extended_register() {
    let bench = Bench::new();
    bench.ram.put(DATA, &[7; 48]);
    bench.succeed(leaf(leaf::MR_RTMR_EXTEND, DATA, 1, 0));
    bench.succeed(leaf(leaf::MR_REPORT, 0x4000, 0x5000, 0));
    assert_eq!(
        bench.ram.get::<48>(0x4000 + 768),
        extended(Digest::ZERO, &[7; 48]).0
    );
}

#[test]
fn the_data_is_the_48_bytes_and_no_more() {
    let bench = Bench::new();
    bench.ram.put(DATA, &[7; 48]);
    bench.ram.put(DATA + 48, &[0xff; 16]);
    bench.succeed(leaf(leaf::MR_RTMR_EXTEND, DATA, 0, 0));
    assert_eq!(
        bench.td.rtmr(RtmrIndex::Rtmr0),
        extended(Digest::ZERO, &[7; 48])
    );
    assert_eq!(bench.ram.get::<64>(DATA)[48..], [0xff; 16]);
}
