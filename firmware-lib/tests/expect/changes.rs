// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which registers change with what, and how that is explained.

use super::support::{cfv, changed, explain, firmware, Parts};
use tdx_firmware::event_log::EventLog;
use tdx_firmware::expect::{Boot, BootSeparator, SecureBootSupport, Smbios, What};
use tdx_firmware::measurement::SecureBootVariable;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{Guid, HashEngine, Sha2};
use tdx_uapi::Digest;

#[test]
fn the_log_of_a_boot_replays_to_what_is_expected() {
    let parts = Parts::new();
    let log = parts.log();
    let replay = EventLog::parse(&log).unwrap().replay(Sha2).unwrap();
    assert_eq!(parts.rtmrs(), replay.rtmrs().0.map(Some));
    assert_eq!(replay.rtmrs().0[3], Digest::ZERO);
    let (told, summary) = explain(&parts);
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(summary.equal, 2 + 2 + 5 + 1 + 3 + 2 + 5 + 2);
}

#[test]
fn each_part_changes_its_register_and_is_explained() {
    type Change = fn(&mut Parts);
    let changes: [(Change, usize, &str); 9] = [
        (|parts| parts.td_hob[80] ^= 1, 0, "changed TD HOB"),
        (|parts| parts.firmware[0xff0] ^= 1, 0, "changed CFV"),
        (
            |parts| parts.table_loader[300] ^= 1,
            0,
            "changed ACPI blob etc/table-loader",
        ),
        (
            |parts| parts.acpi_tables[0] ^= 1,
            0,
            "changed ACPI blob etc/acpi/tables",
        ),
        (|parts| parts.smbios[28] ^= 1, 0, "changed SMBIOS table"),
        (
            |parts| parts.boot_order[0] ^= 1,
            0,
            "changed variable BootOrder",
        ),
        (|parts| parts.kernel[0x500] ^= 1, 1, "changed image kernel"),
        (
            |parts| parts.command_line.push('x'),
            2,
            "changed load options",
        ),
        (|parts| parts.initrd[0] ^= 1, 2, "changed initrd"),
    ];
    for (change, register, explanation) in changes {
        let mut parts = Parts::new();
        let before = parts.rtmrs();
        change(&mut parts);
        assert_eq!(
            changed(&before, &parts.rtmrs()),
            [register],
            "{explanation}"
        );
        let (told, summary) = explain(&parts);
        assert_eq!(told, [explanation]);
        assert_eq!(summary.differences, 1);
    }
}

#[test]
fn a_changed_bfv_changes_no_rtmr() {
    let mut parts = Parts::new();
    let before = parts.rtmrs();
    parts.firmware[0x1000] ^= 1;
    assert_eq!(changed(&before, &parts.rtmrs()), [0; 0]);
}

#[test]
fn an_enrolled_key_shows_in_cfv_and_variable() {
    let mut parts = Parts::new();
    parts.firmware = firmware(&cfv(&[]));
    let (told, _) = explain(&parts);
    assert_eq!(
        told,
        [
            "changed CFV",
            "changed variable SecureBoot",
            "changed variable PK",
            "changed variable KEK",
            "changed variable db",
        ]
    );
}

#[test]
fn dbt_is_measured_where_it_exists() {
    let told = |dbt: &[u8]| {
        let mut parts = Parts::new();
        parts.firmware = firmware(&cfv(&[(Guid::IMAGE_SECURITY_DATABASE, "dbt", dbt, 0x3f)]));
        let mut told = Vec::new();
        parts.with(
            |_| (),
            |boot| {
                boot.events(&Sha2, |event| told.push(event.what.to_string()))
                    .unwrap();
            },
        );
        told
    };
    let dbx = |told: &[String]| told.iter().position(|what| what == "variable dbx").unwrap();
    let with = told(b"timestamps");
    assert_eq!(with[dbx(&with) + 1..][..2], ["variable dbt", "separator"]);
    let without = told(b"");
    assert_eq!(without[dbx(&without) + 1], "separator");
}

#[test]
fn what_is_not_known_is_not_predicted_and_not_missed() {
    let parts = Parts::new();
    let unknown = |boot: &mut Boot<'_>| {
        boot.td_hob = None;
        boot.acpi = None;
        boot.smbios = Smbios::Unknown;
        boot.boot_variables = None;
    };
    let rtmrs = parts.with(unknown, |boot| boot.rtmrs(&Sha2).unwrap());
    let known = parts.rtmrs();
    assert_eq!(rtmrs, [None, known[1], known[2], known[3]]);
    let log = parts.log();
    let summary = parts.with(unknown, |boot| {
        let log = EventLog::parse(&log).unwrap();
        boot.compare(&Sha2, &log, |difference| panic!("{difference}"))
            .unwrap()
    });
    assert_eq!(summary.unknown, 1 + 3 + 1 + 1);
}

#[test]
fn what_is_added_or_left_out_is_told() {
    let mut parts = Parts::new();
    parts.initrd.clear();
    let (told, _) = explain(&parts);
    assert_eq!(told, ["unexpected EV_EVENT_TAG"]);

    let parts = Parts::new();
    let log = parts.log();
    let mut told = Vec::new();
    parts.with(
        |boot| boot.boot_variables = Some(&[]),
        |boot| {
            boot.compare(&Sha2, &EventLog::parse(&log).unwrap(), |difference| {
                told.push(
                    difference
                        .to_string()
                        .split(": ")
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            })
            .unwrap()
        },
    );
    assert_eq!(told, ["unexpected"]);

    // A log that ends early.
    let summary = parts.with(
        |_| (),
        |boot| {
            let log = EventLog::parse(&log[..600]).unwrap();
            boot.compare(&Sha2, &log, |_| ()).unwrap()
        },
    );
    assert!(summary.equal > 2 && summary.differences > 2, "{summary:?}");
}

#[test]
fn older_firmware_puts_both_separators_into_rtmr0() {
    let parts = Parts::new();
    let older = parts.with(
        |boot| boot.boot_separator = BootSeparator::Rtmr0,
        |boot| boot.rtmrs(&Sha2).unwrap(),
    );
    assert_eq!(changed(&parts.rtmrs(), &older), [0, 1]);
}

#[test]
fn firmware_without_secure_boot_has_no_variable_of_it() {
    let parts = Parts::new();
    let digest = |secure_boot| {
        let mut digest = None;
        let what = What::SecureBoot(SecureBootVariable::SecureBoot);
        parts.with(
            |boot| boot.secure_boot = secure_boot,
            |boot| {
                boot.events(&Sha2, |event| {
                    if event.what == what {
                        digest = event.digest;
                    }
                })
                .unwrap();
            },
        );
        digest
    };
    let name: Vec<u8> = "SecureBoot"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let measured = |data: &[u8]| {
        let lengths = [10, data.len() as u64].map(u64::to_le_bytes).concat();
        Sha2.digest(&[&Guid::GLOBAL_VARIABLE.0, &lengths, &name, data])
    };
    assert_eq!(digest(SecureBootSupport::BuiltIn), Some(measured(&[1])));
    assert_eq!(digest(SecureBootSupport::Absent), Some(measured(&[])));
}

/// The digests are those of a log of a real boot, `ccel-direct-unpadded.bin` of google/go-eventlog.
#[test]
fn fixed_events_have_the_digests_of_real_logs() {
    let parts = Parts::new();
    let plain = firmware(&cfv(&[]));
    let mut digests = Vec::new();
    parts.with(
        |boot| boot.firmware = Tdvf::parse(Box::leak(plain.into_boxed_slice())).unwrap(),
        |boot| {
            boot.events(&Sha2, |event| {
                let digest = event.digest.unwrap().to_string();
                digests.push((event.what.to_string(), digest[..16].to_owned()));
            })
            .unwrap();
        },
    );
    for (what, digest) in [
        ("variable SecureBoot", "cfa4e2c606f57262"),
        ("variable PK", "6f2e3cbc14f9def8"),
        ("variable KEK", "d607c0efb41c0d75"),
        ("variable db", "08a74f8963b337ac"),
        ("variable dbx", "18cc6e01f0c6ea99"),
        ("separator", "394341b7182cd227"),
        ("variable BootOrder", "1dd6f7b457ad880d"),
        (
            "action \"Calling EFI Application from Boot Option\"",
            "77a0dab2312b4e1e",
        ),
        (
            "action \"Exit Boot Services Invocation\"",
            "214b0bef13797560",
        ),
        (
            "action \"Exit Boot Services Returned with Success\"",
            "0a2e01c85deae718",
        ),
    ] {
        let wanted = (what.to_owned(), digest.to_owned());
        assert!(digests.contains(&wanted), "{what} in {digests:?}");
    }
}
