// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MR.VERIFYREPORT.

use crate::bench::{leaf, parameters, Bench};
use crate::order::{self, Failure};
use tdx_call::{leaf, OperandId, Status};
use tdx_module::{HostPolicy, Platform};

const MAC: u64 = 0x2400;

/// A TD that has its own report's REPORTMACSTRUCT at `MAC`.
fn with_report(platform: Platform) -> Bench {
    let bench = Bench::with(parameters(), platform, HostPolicy::default());
    bench.ram.put(0x3000, &[0x5a; 64]);
    bench.succeed(leaf(leaf::MR_REPORT, MAC, 0x3000, 0));
    bench
}

fn verify(bench: &Bench) -> Status {
    bench.status(leaf(leaf::MR_VERIFYREPORT, MAC, 0, 0))
}

/// Changes a byte of the REPORTMACSTRUCT.
fn flip(bench: &Bench, offset: u64, bits: u8) {
    let [byte] = bench.ram.get::<1>(MAC + offset);
    bench.ram.put(MAC + offset, &[byte ^ bits]);
}

#[test]
fn failures_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "the structure is not aligned to 256 bytes",
            spoil: |registers| registers.rcx |= 0x80,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "the structure is shared",
            spoil: |registers| registers.rcx |= 1 << 51,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "there is no report",
            spoil: |registers| registers.rcx = 0x5000,
            status: Status::INVALID_CPUSVN,
        },
    ];
    let right = leaf(leaf::MR_VERIFYREPORT, MAC, 0, 0);
    order::check(|| with_report(Platform::default()), right, &failures);
}

#[test]
fn without_the_feature_there_is_no_such_leaf() {
    let bench = with_report(Platform {
        verify_report: false,
        ..Platform::default()
    });
    let missing = Status::operand_invalid(OperandId::RAX);
    assert_eq!(verify(&bench), missing);
    // That comes before anything else.
    assert_eq!(bench.status(leaf(leaf::MR_VERIFYREPORT, 1, 0, 0)), missing);
}

#[test]
fn a_report_holds_on_its_own_platform() {
    assert_eq!(verify(&with_report(Platform::default())), Status::SUCCESS);
}

#[test]
fn another_td_of_the_platform_can_verify_it() {
    let bytes: [u8; 256] = with_report(Platform::default()).ram.get(MAC);
    let other = Bench::new();
    other.ram.put(MAC, &bytes);
    assert_eq!(verify(&other), Status::SUCCESS);
}

#[test]
fn every_changed_byte_is_noticed() {
    for offset in 0..256 {
        let bench = with_report(Platform::default());
        flip(&bench, offset, 1);
        let expected = if (16..32).contains(&offset) {
            Status::INVALID_CPUSVN
        } else {
            Status::INVALID_REPORTMACSTRUCT
        };
        assert_eq!(verify(&bench), expected, "byte {offset}");
    }
}

#[test]
fn a_wrong_cpusvn_comes_before_a_wrong_mac() {
    let bench = with_report(Platform::default());
    flip(&bench, 20, 0x80);
    flip(&bench, 230, 0x80);
    assert_eq!(verify(&bench), Status::INVALID_CPUSVN);
}

#[test]
fn a_report_fails_on_another_platform() {
    let bytes: [u8; 256] = with_report(Platform::default()).ram.get(MAC);
    let mut seed = [0; 32];
    seed[31] = 1;
    let other = with_report(Platform {
        seed,
        ..Platform::default()
    });
    other.ram.put(MAC, &bytes);
    assert_eq!(verify(&other), Status::INVALID_REPORTMACSTRUCT);
}

#[test]
fn what_is_outside_the_mac_does_not_matter() {
    let bench = with_report(Platform::default());
    bench.ram.put(MAC + 256, &[0xff; 768]);
    assert_eq!(verify(&bench), Status::SUCCESS);
}

#[test]
fn keys_are_the_seeds_and_the_purposes() {
    let platform = Platform::default();
    let other = Platform {
        seed: [1; 32],
        ..Platform::default()
    };
    assert_eq!(platform.key(b"a"), Platform::default().key(b"a"));
    assert_ne!(platform.key(b"a"), platform.key(b"b"));
    assert_ne!(platform.key(b"a"), other.key(b"a"));
    // HMAC-SHA-256 of nothing under a key of zeros, as other implementations have it.
    let empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    assert_eq!(tdx_uapi::Hex(&platform.key(b"")).to_string(), empty);
}
