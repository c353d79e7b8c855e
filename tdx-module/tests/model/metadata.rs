// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VM.RD, TDG.VM.WR and TDG.SYS.RD.

use crate::bench::{parameters, Bench};
use crate::order::{self, Failure};
use tdx_call::{leaf, FieldId, OperandId, Registers, Status};
use tdx_module::{config_flags, td_ctls, Generation, HostPolicy, Platform, TdParameters};
use tdx_uapi::{Attributes, Digest};

const NO_FIELD: u64 = u64::MAX;

fn read(id: u64) -> Registers {
    Registers {
        rdx: id,
        r8: 0xdead,
        ..Registers::leaf(leaf::VM_RD)
    }
}

fn write(field: FieldId, value: u64, mask: u64) -> Registers {
    Registers {
        rdx: field.0,
        r8: value,
        r9: mask,
        ..Registers::leaf(leaf::VM_WR)
    }
}

fn with(parameters: TdParameters) -> Bench {
    Bench::with(parameters, Platform::default(), HostPolicy::default())
}

/// A TD that may change PENDING_VE_DISABLE.
fn flexible() -> Bench {
    with(TdParameters {
        config_flags: config_flags::FLEXIBLE_PENDING_VE,
        ..parameters()
    })
}

#[test]
fn failures_of_reading_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "there is no version 2",
            spoil: |registers| registers.rax |= 2 << 16,
            status: Status::operand_invalid(OperandId::RAX),
        },
        Failure {
            what: "RCX is not 0",
            spoil: |registers| registers.rcx = 1,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "there is no such field",
            spoil: |registers| registers.rdx |= 0xffff,
            status: Status::METADATA_FIELD_ID_INCORRECT,
        },
    ];
    order::check(Bench::new, read(FieldId::ATTRIBUTES.0), &failures);
}

#[test]
fn a_field_that_is_the_hosts_cannot_be_read() {
    for id in [0x8010_0000_0000_0001, 0x1110_0003_0000_0004] {
        let after = Bench::new().call(read(id));
        assert_eq!(Status(after.rax), Status::METADATA_FIELD_NOT_READABLE);
        assert_eq!((after.rdx, after.r8), (id, 0));
    }
}

#[test]
fn reading_fails_with_zero_in_r8_and_leaves_rdx_in_version_0() {
    let spoilt = [
        Registers {
            rcx: 1,
            ..read(FieldId::ATTRIBUTES.0)
        },
        read(0x1110_0003_0000_ffff),
    ];
    for before in spoilt {
        let after = Bench::new().call(before);
        assert_eq!((after.rdx, after.r8), (before.rdx, 0));
        let version_1 = Registers {
            rax: before.rax | (1 << 16),
            ..before
        };
        let after = Bench::new().call(version_1);
        assert!(Status(after.rax).is_error());
        assert_eq!((after.rdx, after.r8), (NO_FIELD, 0));
    }
}

#[test]
fn every_field_that_linux_and_others_read_has_its_value() {
    let digest = |first: u8| Digest(core::array::from_fn(|at| first + at as u8));
    let word = |first: u8, element: u8| {
        u64::from_le_bytes(core::array::from_fn(|at| first + 8 * element + at as u8))
    };
    let bench = with(TdParameters {
        attributes: Attributes(0x8000_0000_1000_0000),
        mrtd: digest(1),
        mr_config_id: digest(2),
        mr_owner: digest(3),
        mr_owner_config: digest(4),
        rtmr: [digest(5), digest(6), digest(7), digest(8)],
        servtd_hash: Some(digest(9)),
        config_flags: config_flags::NO_RBP_MOD,
        td_ctls: td_ctls::REDUCE_VE,
        topology_enum_configured: false,
        ..parameters()
    });
    let mut expected = vec![
        (FieldId::ATTRIBUTES.0, 0x8000_0000_1000_0000),
        (FieldId::XFAM.0, 7),
        (
            FieldId::CONFIG_FLAGS.0,
            config_flags::NO_RBP_MOD | config_flags::GPAW,
        ),
        (
            FieldId::TD_CTLS.0,
            td_ctls::REDUCE_VE | td_ctls::PENDING_VE_DISABLE,
        ),
        (FieldId::NOTIFY_ENABLES.0, 0),
        (FieldId::TOPOLOGY_ENUM_CONFIGURED.0, 0),
        (0x9010_0002_0000_0001, 2),
        (0x1110_0002_0000_0002, 4),
        (0x1110_0000_0000_0003, 1),
        (0x9910_0001_0000_0006, 1),
    ];
    for element in 0..6_u8 {
        let at = u64::from(element);
        expected.extend([
            (0x1310_0003_0000_0000 + at, word(1, element)),
            (0x1310_0003_0000_0010 + at, word(2, element)),
            (0x1310_0003_0000_0018 + at, word(3, element)),
            (0x1310_0003_0000_0020 + at, word(4, element)),
            (0x9910_0003_0000_0000 + at, word(9, element)),
        ]);
        for register in 0..4 {
            let id = 0x1310_0003_0000_0040 + 6 * u64::from(register) + at;
            expected.push((id, word(5 + register, element)));
        }
    }
    for (id, value) in expected {
        let after = bench.succeed(read(id));
        assert_eq!(after.r8, value, "field {id:#x}");
        assert_eq!(after.rdx, id, "version 0 leaves RDX");
    }
}

#[test]
fn an_rtmr_is_read_as_it_is_now() {
    let bench = Bench::new();
    bench.succeed(Registers {
        rcx: 0x1000,
        rdx: 2,
        ..Registers::leaf(leaf::MR_RTMR_EXTEND)
    });
    let value = bench.succeed(read(0x1310_0003_0000_0040 + 12)).r8;
    let register = bench.td.rtmr(tdx_call::RtmrIndex::Rtmr2);
    assert_eq!(value.to_le_bytes(), register.0[..8]);
}

#[test]
fn only_class_and_field_code_say_which_field_it_is() {
    let bench = Bench::new();
    // Element size, the number of codes between elements, the write-mask-valid bit, context, and bit 63.
    for bit in (32..34).chain(50..55).chain([63]) {
        let after = bench.succeed(read(FieldId::ATTRIBUTES.0 ^ (1 << bit)));
        assert_eq!(after.r8, 1 << 28, "bit {bit}");
    }
    // What is reserved, and what belongs to lists.
    for bit in (24..32).chain(34..50).chain([55, 62]) {
        let status = bench.status(read(FieldId::ATTRIBUTES.0 | (1 << bit)));
        assert_eq!(status, Status::METADATA_FIELD_ID_INCORRECT, "bit {bit}");
    }
}

#[test]
fn elements_beyond_the_last_are_no_field() {
    let bench = Bench::new();
    for id in [
        0x1310_0003_0000_0006,
        0x1310_0003_0000_0058,
        0x1110_0003_0000_0018,
    ] {
        assert_eq!(bench.status(read(id)), Status::METADATA_FIELD_ID_INCORRECT);
    }
}

/// Lists all fields from the first on, by way of RDX.
fn list(bench: &Bench, leaf: u64) -> Vec<u64> {
    let first = bench.call(Registers {
        rdx: NO_FIELD,
        ..Registers::leaf(leaf)
    });
    assert_eq!(
        Status(first.rax),
        Status::METADATA_FIRST_FIELD_ID_IN_CONTEXT
    );
    assert_eq!(first.r8, 0);
    let mut ids = vec![first.rdx];
    while let Some(id) = ids.last().copied().filter(|id| *id != NO_FIELD) {
        ids.push(
            bench
                .succeed(Registers {
                    rdx: id,
                    ..Registers::leaf(leaf)
                })
                .rdx,
        );
        assert!(ids.len() < 1000, "the list ends");
    }
    ids.pop();
    ids
}

#[test]
fn version_1_lists_what_a_td_can_read() {
    let ids = list(&Bench::new(), leaf::VM_RD | (1 << 16));
    // Ten of one element, four measurements, four registers, and what there is of service TDs.
    assert_eq!(ids.len(), 10 + 4 * 6 + 4 * 6 + 6 + 1);
    assert!(ids.contains(&FieldId::TD_CTLS.0));
    assert!(!ids.contains(&0x8010_0000_0000_0001), "FATAL is the host's");
}

#[test]
fn sys_rd_lists_the_modules_fields() {
    let bench = Bench::new();
    let ids = list(&bench, leaf::SYS_RD);
    assert_eq!(ids.len(), 6);
    let value = |id| {
        bench
            .succeed(Registers {
                rdx: id,
                ..Registers::leaf(leaf::SYS_RD)
            })
            .r8
    };
    assert_eq!(value(0x0800_0002_0000_0000), 0x8086, "VENDOR_ID");
    assert_eq!(value(0x0800_0001_0000_0004), 1, "MAJOR_VERSION");
    assert_eq!(
        (value(0x0a00_0003_0000_0008) >> 8) & 1,
        1,
        "TDX_FEATURES0.LOCAL_ATTESTATION"
    );
}

#[test]
fn sys_rd_fails_with_no_field_and_no_value() {
    let expected = [
        (0x0800_0001_0000_ffff, Status::METADATA_FIELD_ID_INCORRECT),
        (0x0000_0002_0000_0000, Status::METADATA_FIELD_NOT_READABLE),
        (FieldId::ATTRIBUTES.0, Status::METADATA_FIELD_ID_INCORRECT),
    ];
    for (rdx, status) in expected {
        let before = Registers {
            rdx,
            r8: 1,
            ..Registers::leaf(leaf::SYS_RD)
        };
        let after = Bench::new().call(before);
        assert_eq!(Status(after.rax), status);
        assert_eq!((after.rdx, after.r8), (NO_FIELD, 0));
    }
}

#[test]
fn failures_of_writing_come_in_the_documented_order() {
    let failures = [
        Failure {
            what: "RCX is not 0",
            spoil: |registers| registers.rcx = 1,
            status: Status::operand_invalid(OperandId::RCX),
        },
        Failure {
            what: "there is no such field",
            spoil: |registers| registers.rdx |= 0xffff,
            status: Status::METADATA_FIELD_ID_INCORRECT,
        },
        Failure {
            what: "the mask selects no bit that can be written",
            spoil: |registers| registers.r9 &= !1,
            status: Status::METADATA_FIELD_NOT_WRITABLE,
        },
        Failure {
            what: "a bit changes that cannot be written",
            spoil: |registers| {
                registers.r8 |= 1 << 40;
                registers.r9 |= 1 << 40;
            },
            status: Status::METADATA_FIELD_VALUE_NOT_VALID,
        },
    ];
    order::check(Bench::new, write(FieldId::NOTIFY_ENABLES, 1, 1), &failures);
}

#[test]
fn a_field_that_can_only_be_read_cannot_be_written() {
    let bench = Bench::new();
    for field in [
        FieldId::ATTRIBUTES,
        FieldId::CONFIG_FLAGS,
        FieldId(0x8010_0000_0000_0001),
    ] {
        let after = bench.call(write(field, 0, u64::MAX));
        assert_eq!(Status(after.rax), Status::METADATA_FIELD_NOT_WRITABLE);
        assert_eq!(after.r8, 0);
    }
}

#[test]
fn writing_returns_the_old_value_and_takes_masks_beyond_what_changes() {
    let bench = Bench::new();
    // What Linux does first of all.
    assert_eq!(
        bench
            .succeed(write(FieldId::NOTIFY_ENABLES, 0, u64::MAX))
            .r8,
        0
    );
    assert_eq!(
        bench
            .succeed(write(FieldId::NOTIFY_ENABLES, 1, u64::MAX))
            .r8,
        0
    );
    assert_eq!(bench.succeed(write(FieldId::NOTIFY_ENABLES, 0, 1)).r8, 1);
    assert_eq!(bench.succeed(read(FieldId::NOTIFY_ENABLES.0)).r8, 0);
}

#[test]
fn bits_that_the_mask_leaves_out_stay() {
    let bench = Bench::new();
    bench.succeed(write(FieldId::TD_CTLS, u64::MAX, td_ctls::REDUCE_VE));
    let expected = td_ctls::REDUCE_VE | td_ctls::PENDING_VE_DISABLE;
    assert_eq!(bench.succeed(read(FieldId::TD_CTLS.0)).r8, expected);
}

#[test]
fn pending_ve_disable_changes_only_where_it_is_flexible() {
    let refused = write(FieldId::TD_CTLS, 0, td_ctls::PENDING_VE_DISABLE);
    let status = Bench::new().status(refused);
    assert_eq!(status, Status::METADATA_FIELD_VALUE_NOT_VALID);
    let bench = flexible();
    assert_eq!(bench.succeed(refused).r8, td_ctls::PENDING_VE_DISABLE);
    assert_eq!(bench.succeed(read(FieldId::TD_CTLS.0)).r8, 0);
}

#[test]
fn topology_can_be_enabled_where_the_host_configured_it() {
    let enable = write(
        FieldId::TD_CTLS,
        td_ctls::ENUM_TOPOLOGY,
        td_ctls::ENUM_TOPOLOGY,
    );
    Bench::new().succeed(enable);
    let bench = with(TdParameters {
        topology_enum_configured: false,
        ..parameters()
    });
    assert_eq!(bench.status(enable), Status::METADATA_FIELD_VALUE_NOT_VALID);
}

#[test]
fn locked_controls_do_not_change() {
    let bench = flexible();
    bench.succeed(write(FieldId::TD_CTLS, td_ctls::LOCK, td_ctls::LOCK));
    let refused = Status::METADATA_FIELD_VALUE_NOT_VALID;
    for (value, mask) in [
        (td_ctls::REDUCE_VE, td_ctls::REDUCE_VE),
        (0, td_ctls::LOCK),
        (0, 1),
    ] {
        assert_eq!(bench.status(write(FieldId::TD_CTLS, value, mask)), refused);
    }
    bench.succeed(write(FieldId::TD_CTLS, td_ctls::LOCK, td_ctls::LOCK));
}

#[test]
fn tdx_1_0_has_no_td_ctls() {
    let platform = Platform {
        generation: Generation::Tdx10,
        ..Platform::default()
    };
    let bench = Bench::with(parameters(), platform, HostPolicy::default());
    for field in [
        FieldId::TD_CTLS,
        FieldId::CONFIG_FLAGS,
        FieldId::TOPOLOGY_ENUM_CONFIGURED,
    ] {
        assert_eq!(
            bench.status(read(field.0)),
            Status::METADATA_FIELD_ID_INCORRECT
        );
        let status = bench.status(write(field, 1, 1));
        assert_eq!(status, Status::METADATA_FIELD_ID_INCORRECT);
    }
    bench.succeed(write(FieldId::NOTIFY_ENABLES, 0, u64::MAX));
}
