// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.MR.REPORT.

use crate::bench::{leaf, parameters, Bench, PENDING};
use crate::order::{self, Failure};
use sha2::{Digest as _, Sha384};
use std::time::Duration;
use tdx_call::{leaf, OperandId, Registers, Status};
use tdx_module::{Generation, HostPolicy, Platform, TdParameters};
use tdx_uapi::{Attributes, Digest, TdReport, TeeTcbInfo, Xfam};

const REPORT: u64 = 0x2400;
const DATA: u64 = 0x3040;

fn registers() -> Registers {
    leaf(leaf::MR_REPORT, REPORT, DATA, 0)
}

/// The bytes of the report that a TD gets.
fn report(bench: &Bench) -> [u8; 1024] {
    bench.succeed(registers());
    bench.ram.get(REPORT)
}

#[test]
fn failures_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "the report is not aligned to 1024 bytes",
            spoil: |registers| registers.rcx |= 0x200,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "REPORTDATA is not aligned to 64 bytes",
            spoil: |registers| registers.rdx |= 0x20,
            status: Status::operand_invalid(OperandId::RDX),
        },
        Failure {
            what: "REPORTDATA has no legal address",
            spoil: |registers| registers.rdx |= 1 << 52,
            status: Status::operand_invalid(OperandId::RDX),
        },
        Failure {
            what: "the subtype is not 0",
            spoil: |registers| registers.r8 = 1 << 32,
            status: Status::operand_invalid(OperandId::R8),
        },
        Failure {
            what: "the report has no legal address",
            spoil: |registers| registers.rcx |= 1 << 52,
            status: Status::operand_invalid(OperandId::RCX),
        },
    ];
    order::check(Bench::new, registers(), &failures);
}

#[test]
fn the_subtype_is_checked_between_the_two_operands_pages() {
    let bench = Bench::new();
    let violation = bench.violation(leaf(leaf::MR_REPORT, REPORT, PENDING, 1));
    assert_eq!(violation.operand, OperandId::RDX);
    let status = bench.status(leaf(leaf::MR_REPORT, PENDING, DATA, 1));
    assert_eq!(status, Status::operand_invalid(OperandId::R8));
    let violation = bench.violation(leaf(leaf::MR_REPORT, PENDING, DATA, 0));
    assert_eq!(violation.operand, OperandId::RCX);
}

#[test]
fn every_wrong_alignment_is_refused() {
    let bench = Bench::new();
    for offset in (1..1024).step_by(31) {
        let status = bench.status(leaf(leaf::MR_REPORT, REPORT + offset, DATA, 0));
        assert_eq!(
            status,
            Status::operand_invalid(OperandId::RCX),
            "report + {offset}"
        );
    }
    for offset in 1..64 {
        let status = bench.status(leaf(leaf::MR_REPORT, REPORT, DATA + offset, 0));
        assert_eq!(
            status,
            Status::operand_invalid(OperandId::RDX),
            "REPORTDATA + {offset}"
        );
    }
}

#[test]
fn a_call_that_fails_writes_nothing() {
    let bench = Bench::new();
    bench.ram.put(REPORT, &[0xee; 1024]);
    bench.status(leaf(leaf::MR_REPORT, REPORT, DATA, 1));
    assert_eq!(bench.ram.get::<1024>(REPORT), [0xee; 1024]);
}

#[test]
fn only_rax_changes() {
    let bench = Bench::new();
    let before = Registers {
        rbx: 1,
        r9: 2,
        r15: 3,
        ..registers()
    };
    let after = bench.succeed(before);
    assert_eq!(
        Registers {
            rax: before.rax,
            ..after
        },
        before
    );
}

/// A TD in which every field has a value of its own.
fn colourful() -> (TdParameters, Platform) {
    let parameters = TdParameters {
        attributes: Attributes(0x1111_1111_1000_0000),
        xfam: Xfam(0x2222_2222_2222_2222),
        mrtd: Digest([0x33; 48]),
        mr_config_id: Digest([0x44; 48]),
        mr_owner: Digest([0x55; 48]),
        mr_owner_config: Digest([0x66; 48]),
        rtmr: [0x70, 0x71, 0x72, 0x73].map(|byte| Digest([byte; 48])),
        servtd_hash: Some(Digest([0x88; 48])),
        ..parameters()
    };
    let platform = Platform {
        cpu_svn: [0x99; 16],
        tee_tcb_svn: [0xaa; 16],
        tee_tcb_svn2: [0xbb; 16],
        mr_seam: Digest([0xcc; 48]),
        mr_signer_seam: Digest([0xdd; 48]),
        ..Platform::default()
    };
    (parameters, platform)
}

#[test]
fn every_field_is_where_the_specification_has_it() {
    let (parameters, platform) = colourful();
    let bench = Bench::with(parameters, platform, HostPolicy::default());
    bench.ram.put(DATA, &[0xee; 64]);
    let bytes = report(&bench);

    let mut expected = [0; 1024];
    let mut put = |offset: usize, bytes: &[u8]| {
        expected[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &[0x81, 0, 1, 0]);
    put(16, &[0x99; 16]);
    put(32, &Sha384::digest(&bytes[256..495]));
    put(80, &Sha384::digest(&bytes[512..1024]));
    put(128, &[0xee; 64]);
    put(224, &bytes[224..256]);
    put(256, &0x301ff_u64.to_le_bytes());
    put(264, &[0xaa; 16]);
    put(280, &[0xcc; 48]);
    put(328, &[0xdd; 48]);
    put(384, &[0xbb; 16]);
    put(512, &0x1111_1111_1000_0000_u64.to_le_bytes());
    put(520, &[0x22; 8]);
    put(528, &[0x33; 48]);
    put(576, &[0x44; 48]);
    put(624, &[0x55; 48]);
    put(672, &[0x66; 48]);
    put(720, &[0x70; 48]);
    put(768, &[0x71; 48]);
    put(816, &[0x72; 48]);
    put(864, &[0x73; 48]);
    put(912, &[0x88; 48]);
    assert_eq!(bytes, expected);
}

#[test]
fn the_tcb_hash_covers_239_bytes() {
    let bytes = report(&Bench::new());
    assert_eq!(bytes[32..80], Sha384::digest(&bytes[256..256 + 239])[..]);
    assert_ne!(bytes[32..80], Sha384::digest(&bytes[256..512])[..]);
}

#[test]
fn the_version_is_1_for_a_service_td_and_not_for_tdx_1_5() {
    for (servtd_hash, version) in [
        (None, 0),
        (Some(Digest([1; 48])), 1),
        (Some(Digest::ZERO), 1),
    ] {
        let parameters = TdParameters {
            servtd_hash,
            ..parameters()
        };
        let bench = Bench::with(parameters, Platform::default(), HostPolicy::default());
        let bytes = report(&bench);
        assert_eq!(bytes[2], version);
        assert_eq!(bytes[256..264], 0x301ff_u64.to_le_bytes());
    }
}

#[test]
fn tdx_1_0_has_no_second_tcb_svn() {
    let (parameters, platform) = colourful();
    let parameters = TdParameters {
        servtd_hash: None,
        ..parameters
    };
    let platform = Platform {
        generation: Generation::Tdx10,
        ..platform
    };
    let bytes = report(&Bench::with(parameters, platform, HostPolicy::default()));
    assert_eq!(bytes[256..264], 0x1ff_u64.to_le_bytes());
    assert_eq!(bytes[384..512], [0; 128]);
    let parsed = TdReport::parse(&bytes).expect("a report");
    assert_eq!(parsed.tee_tcb_info.valid.get(), TeeTcbInfo::VALID_1_0);
    parsed
        .check_hashes(|bytes| Sha384::digest(bytes).into())
        .expect("hashes hold");
}

#[test]
fn reportdata_may_lie_in_the_report() {
    // Linux's driver passes the report's own REPORTDATA.
    for offset in [0, 128, 960] {
        let bench = Bench::new();
        bench.ram.put(REPORT, &[0xee; 1024]);
        bench.ram.put(REPORT + offset, &[0x5a; 64]);
        bench.succeed(leaf(leaf::MR_REPORT, REPORT, REPORT + offset, 0));
        assert_eq!(
            bench.ram.get::<64>(REPORT + 128),
            [0x5a; 64],
            "offset {offset}"
        );
    }
}

#[test]
fn reports_of_the_same_td_are_the_same() {
    assert_eq!(report(&Bench::new()), report(&Bench::new()));
}

#[test]
fn a_report_takes_its_time_and_changes_it() {
    let platform = Platform {
        report_time: Duration::from_millis(5),
        ..Platform::default()
    };
    let bench = Bench::with(parameters(), platform, HostPolicy::default());
    report(&bench);
    bench.td.set_report_time(Duration::from_secs(1));
    report(&bench);
    bench.td.set_report_time(Duration::ZERO);
    report(&bench);
    let slept = [Duration::from_millis(5), Duration::from_secs(1)];
    assert_eq!(*bench.ram.slept.borrow(), slept);
}

#[test]
fn a_report_that_is_refused_takes_no_time() {
    let bench = Bench::new();
    bench.td.set_report_time(Duration::from_secs(1));
    bench.status(leaf(leaf::MR_REPORT, REPORT, DATA, 1));
    assert!(bench.ram.slept.borrow().is_empty());
}
