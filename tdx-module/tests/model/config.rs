// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Configurations in TOML.
#![cfg(feature = "config")]

use std::time::Duration;
use tdx_call::{leaf, OperandId, Status, Vmcall, VmcallStatus};
use tdx_module::{
    config_flags, td_ctls, Config, Fault, FaultAnswer, FaultTarget, Generation, HostPolicy,
    Platform, QuoteBehaviour, TdParameters,
};
use tdx_uapi::{Attributes, Digest, Xfam};

fn config(text: &str) -> Config {
    Config::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Checks that a configuration is refused with a message that has all of `parts`.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = Config::from_toml(text).expect_err("an error").to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }
}

#[test]
fn nothing_is_the_default() {
    assert_eq!(config(""), Config::default());
}

#[test]
fn the_example_is_the_default_and_two_faults() {
    let example = config(include_str!("../../example.toml"));
    assert_eq!(example.td, TdParameters::default());
    assert_eq!(example.platform, Platform::default());
    assert_eq!(example.host, HostPolicy::default());
    let report = Fault {
        target: FaultTarget::Leaf(leaf::MR_REPORT),
        answer: FaultAnswer::Status(Status::operand_busy(OperandId::RTMR)),
        after: 2,
        times: Some(2),
    };
    let quote = Fault {
        target: FaultTarget::Vmcall(Vmcall::GET_QUOTE),
        answer: FaultAnswer::Host(VmcallStatus::GPA_INUSE),
        after: 0,
        times: Some(1),
    };
    assert_eq!(example.faults, [report, quote]);
}

#[test]
fn the_example_has_every_key() {
    // An unknown key's error names all that there are.
    let example = include_str!("../../example.toml");
    for table in ["[td]", "[platform]", "[host]", "[[fault]]"] {
        let error = Config::from_toml(&format!("{table}\nx = 1")).expect_err("x is no key");
        let error = error.to_string();
        let (_, keys) = error.split_once("expected one of ").expect("the keys");
        for key in keys.trim().split(", ") {
            let key = key.trim_matches('`');
            let mut lines = example.lines().map(|line| line.trim_start_matches("# "));
            let known = |line: &str| line.split('=').next().map(str::trim) == Some(key);
            assert!(lines.any(known), "{table} {key}");
        }
    }
}

#[test]
fn every_key_is_taken() {
    let config = config(
        r#"
        [td]
        attributes = ["DEBUG", "PERFMON"]
        xfam = ["X87", "SSE", "AMX"]
        mrtd = "010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
        mrconfigid = "020202020202020202020202020202020202020202020202 020202020202020202020202020202020202020202020202"
        mrowner = "030303030303030303030303030303030303030303030303_030303030303030303030303030303030303030303030303"
        mrownerconfig = "0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
        servtd_hash = "050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505"
        gpa_width = 53
        max_vcpus = 64
        config_flags = ["FLEXIBLE_PENDING_VE", "NO_RBP_MOD"]
        td_ctls = ["REDUCE_VE", "LOCK"]
        topology_enum_configured = false

        [platform]
        generation = "1.5"
        cpusvn = "06060606060606060606060606060606"
        tee_tcb_svn = "07070707070707070707070707070707"
        tee_tcb_svn2 = "08080808080808080808080808080808"
        mrseam = "090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909"
        mrsignerseam = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
        verify_report = false
        seed = "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"
        report_time_us = 5000

        [host]
        hlt_nap_us = 7
        map_gpa_limit = 8
        large_pages = false
        quote_time_us = 50
        quote = "other-reportdata"
        "#,
    );
    let td = TdParameters {
        attributes: Attributes((1 << 63) | 1),
        xfam: Xfam(0x60003),
        mrtd: Digest([1; 48]),
        mr_config_id: Digest([2; 48]),
        mr_owner: Digest([3; 48]),
        mr_owner_config: Digest([10; 48]),
        servtd_hash: Some(Digest([5; 48])),
        gpa_width: 53,
        max_vcpus: 64,
        config_flags: config_flags::FLEXIBLE_PENDING_VE | config_flags::NO_RBP_MOD,
        td_ctls: td_ctls::REDUCE_VE | td_ctls::LOCK,
        topology_enum_configured: false,
        ..TdParameters::default()
    };
    assert_eq!(config.td, td);
    let platform = Platform {
        generation: Generation::Tdx15,
        cpu_svn: [6; 16],
        tee_tcb_svn: [7; 16],
        tee_tcb_svn2: [8; 16],
        mr_seam: Digest([9; 48]),
        mr_signer_seam: Digest([11; 48]),
        verify_report: false,
        seed: [12; 32],
        report_time: Duration::from_millis(5),
    };
    assert_eq!(config.platform, platform);
    let host = HostPolicy {
        hlt_nap: Duration::from_micros(7),
        map_gpa_limit: Some(8),
        large_pages: false,
        quote_time: Duration::from_micros(50),
        quote_behaviour: QuoteBehaviour::OtherReportData,
    };
    assert_eq!(config.host, host);
}

#[test]
fn flags_are_names_or_numbers() {
    for flags in [
        "[\"SEPT_VE_DISABLE\", \"PKS\"]",
        "0x5000_0000",
        "\"0x5000_0000\"",
        "1342177280",
    ] {
        let config = config(&format!("[td]\nattributes = {flags}"));
        assert_eq!(config.td.attributes, Attributes(0x5000_0000), "{flags}");
    }
    let config = config("[td]\nattributes = \"0x8000_0000_0000_0000\"\nxfam = []");
    assert_eq!(config.td.attributes, Attributes::PERFMON);
    assert_eq!(config.td.xfam, Xfam(0));
}

#[test]
fn the_second_tcb_svn_follows_the_first() {
    let config = config("[platform]\ntee_tcb_svn = \"07070707070707070707070707070707\"");
    assert_eq!(config.platform.tee_tcb_svn2, [7; 16]);
}

#[test]
fn what_is_no_toml_is_refused_with_its_place() {
    refused("[td]\nxfam = \n", &["line 2"]);
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_known_ones() {
    refused(
        "[tdx]\n",
        &["line 1", "`tdx`", "`td`", "`platform`", "`host`", "`fault`"],
    );
    refused(
        "[td]\n\nmrtdd = 1",
        &["line 3", "`mrtdd`", "`mrtd`", "`gpa_width`"],
    );
    refused("[platform]\nsed = 1", &["line 2", "`sed`", "`seed`"]);
    refused("[host]\nnap = 1", &["line 2", "`nap`", "`hlt_nap_us`"]);
    refused("[[fault]]\nleave = 1", &["`leave`", "`leaf`"]);
}

#[test]
fn bytes_of_a_wrong_length_or_alphabet_are_refused() {
    let mrtd = [
        "line 2",
        "found 4 hexadecimal digits",
        "48 bytes as a string of 96",
    ];
    refused("[td]\nmrtd = \"1234\"", &mrtd);
    let seed = ["line 2", "found 65 hexadecimal digits", "32 bytes"];
    refused(&format!("[platform]\nseed = \"{}\"", "0".repeat(65)), &seed);
    refused(
        "[platform]\ncpusvn = \"0x12\"",
        &["line 2", "'x' is no hexadecimal digit", "16 bytes"],
    );
    refused(
        "[platform]\ncpusvn = 12",
        &["line 2", "integer `12`", "16 bytes"],
    );
    refused("[td]\nrtmr = [\"\", \"\"]", &["line 2"]);
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    refused(
        "[td]\nattributes = [\"PKZ\"]",
        &["line 2", "\"PKZ\"", "PKS", "SEPT_VE_DISABLE"],
    );
    refused(
        "[td]\nxfam = [\"SSE\", \"MMX\"]",
        &["line 2", "\"MMX\"", "AVX512"],
    );
    refused(
        "[td]\ntd_ctls = \"LOCK\"",
        &["line 2", "\"LOCK\"", "a list of"],
    );
    refused("[td]\nconfig_flags = -1", &["line 2", "`-1`", "NO_RBP_MOD"]);
    refused(
        "[platform]\ngeneration = \"2.0\"",
        &["line 2", "`2.0`", "`1.0`", "`1.5`"],
    );
}

#[test]
fn what_no_td_can_be_is_refused() {
    refused("[td]\ngpa_width = 47", &["GPA width 47", "48, 52 or 53"]);
    refused("[td]\nmax_vcpus = 0", &["vCPUs"]);
    let servtd = format!(
        "[platform]\ngeneration = \"1.0\"\n[td]\nservtd_hash = \"{}\"",
        "0".repeat(96)
    );
    refused(&servtd, &["service TD", "TDX 1.0"]);
    refused(
        "[platform]\nreport_time_us = 60000001",
        &["line 2", "60000001", "0 to 60000000"],
    );
    refused("[host]\nmap_gpa_limit = 0", &["line 2", "nonzero"]);
}

#[test]
fn faults_are_named_or_numbered() {
    let config = config(
        r#"
        [[fault]]
        leaf = 4
        status = 0x8000_0200
        [[fault]]
        leaf = "TDG.MEM.PAGE.ACCEPT"
        status = "TDX_PAGE_SIZE_MISMATCH"
        operand = 1
        [[fault]]
        leaf = "TDG.VP.VMCALL"
        function = 0x10002
        host_status = "0x8000000000000009"
        [[fault]]
        leaf = "TDG.VP.VMCALL"
        status = "0xC000010000000001"
        "#,
    );
    let expected = [
        (
            FaultTarget::Leaf(4),
            FaultAnswer::Status(Status(0x8000_0200)),
        ),
        (
            FaultTarget::Leaf(6),
            FaultAnswer::Status(Status(0xc000_0b0b_0000_0001)),
        ),
        (
            FaultTarget::Vmcall(0x10002),
            FaultAnswer::Host(VmcallStatus(0x8000_0000_0000_0009)),
        ),
        (
            FaultTarget::Leaf(0),
            FaultAnswer::Status(Status(0xc000_0100_0000_0001)),
        ),
    ];
    let faults = config
        .faults
        .iter()
        .map(|fault| (fault.target, fault.answer));
    assert_eq!(faults.collect::<Vec<_>>(), expected);
    assert!(config
        .faults
        .iter()
        .all(|fault| (fault.after, fault.times) == (0, None)));
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    let cases = [
        ("status = 1", "a fault needs a leaf"),
        ("leaf = 4", "either a status or a host_status"),
        (
            "leaf = 0\nstatus = 1\nhost_status = 1",
            "either a status or a host_status",
        ),
        (
            "leaf = 4\nhost_status = 1",
            "a host_status goes with TDG.VP.VMCALL alone",
        ),
        (
            "leaf = 4\nfunction = 1\nstatus = 1",
            "a function goes with the leaf TDG.VP.VMCALL alone",
        ),
        (
            "function = 1\nhost_status = 1\noperand = 1",
            "an operand goes with a status",
        ),
        (
            "leaf = \"TDG.MR.REPOT\"\nstatus = 1",
            "\"TDG.MR.REPOT\" is no leaf; expected a number or one of TDG.VP.VMCALL",
        ),
        (
            "function = \"MapGpa\"\nstatus = 1",
            "\"MapGpa\" is no function",
        ),
        (
            "leaf = 4\nstatus = \"BUSY\"",
            "\"BUSY\" is no status; expected a number or one of TDX_SUCCESS",
        ),
        (
            "leaf = 4\nstatus = \"TDX_OPERAND_BUSY\"\noperand = \"R9\"",
            "\"R9\" is no operand",
        ),
        (
            "leaf = 4\nstatus = 1\noperand = \"RCX\"",
            "operand 0x1 does not fit",
        ),
        ("leaf = 4\nstatus = 1\ntimes = 0", "nonzero"),
        ("leaf = 4.5\nstatus = 1", "expected a name or a number"),
        ("leaf = 4\nstatus = 1\nafter = -1", "-1"),
    ];
    for (text, part) in cases {
        refused(&format!("[[fault]]\n{text}"), &[part]);
    }
}
