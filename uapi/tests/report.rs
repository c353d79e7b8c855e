// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What the parser does with bytes that no TDX module made.

use proptest::prelude::*;
use tdx_uapi::{Attributes, ParseError, TdReport, Xfam, TDREPORT_LEN};

/// The smallest thing that is a TDREPORT.
fn empty_report() -> [u8; TDREPORT_LEN] {
    let mut bytes = [0; TDREPORT_LEN];
    bytes[0] = 0x81;
    bytes
}

#[track_caller]
fn assert_refused(bytes: &[u8], error: ParseError, message: &str) {
    assert_eq!(TdReport::parse(bytes), Err(error));
    assert_eq!(error.to_string(), format!("not a TDREPORT: {message}"));
}

#[test]
fn other_lengths_are_refused() {
    let mut bytes = empty_report().to_vec();
    assert_refused(
        &[],
        ParseError::Length { found: 0 },
        "expected 1024 bytes, found 0",
    );
    assert_refused(
        &bytes[..1023],
        ParseError::Length { found: 1023 },
        "expected 1024 bytes, found 1023",
    );
    bytes.push(0);
    assert_refused(
        &bytes,
        ParseError::Length { found: 1025 },
        "expected 1024 bytes, found 1025",
    );
}

#[test]
fn other_types_are_refused() {
    let mut bytes = empty_report();
    bytes[0] = 0;
    assert_refused(
        &bytes,
        ParseError::Type { found: 0 },
        "expected report type 0x81 (TDX), found 0x00 (SGX, or no report)",
    );
    bytes[0] = 0x82;
    assert_refused(
        &bytes,
        ParseError::Type { found: 0x82 },
        "expected report type 0x81 (TDX), found 0x82",
    );
}

#[test]
fn other_subtypes_and_versions_are_refused() {
    let mut bytes = empty_report();
    bytes[2] = 2;
    assert_refused(
        &bytes,
        ParseError::Version { found: 2 },
        "expected report version 0 or 1, found 2",
    );
    bytes[1] = 1;
    assert_refused(
        &bytes,
        ParseError::Subtype { found: 1 },
        "expected report subtype 0, found 1",
    );
}

#[test]
fn a_report_is_read_where_it_lies() {
    let mut bytes = [0; TDREPORT_LEN + 1];
    bytes[1..].copy_from_slice(&empty_report());
    let report = TdReport::parse(&bytes[1..]).expect("a report at an odd address");
    assert!(std::ptr::eq(report.mac.cpu_svn.as_ptr(), &bytes[17]));
}

#[test]
fn bits_without_a_name_are_displayed() {
    let attributes = Attributes(Attributes::DEBUG.0 | Attributes::PERFMON.0 | 0b110);
    assert_eq!(
        attributes.to_string(),
        "0x8000000000000007 DEBUG PERFMON unknown:0x6"
    );
    assert_eq!(Xfam(0).to_string(), "0x0000000000000000");
    // Half of a feature of several bits is not the feature.
    assert_eq!(
        Xfam(1 << 17).to_string(),
        "0x0000000000020000 unknown:0x20000"
    );
}

fn sha384(bytes: &[u8]) -> [u8; 48] {
    // Any function will do to see that it is called and believed; the real one is tried on real reports.
    [u8::try_from(bytes.len() % 251).expect("less than 251"); 48]
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2100)) {
        match TdReport::parse(&bytes) {
            Ok(_) => prop_assert_eq!(bytes.len(), TDREPORT_LEN),
            Err(error) => prop_assert!(error.to_string().starts_with("not a TDREPORT: ")),
        }
    }

    #[test]
    fn any_report_can_be_displayed_and_checked(
        mut bytes in proptest::collection::vec(any::<u8>(), TDREPORT_LEN),
        version in 0..=1_u8,
    ) {
        bytes[..3].copy_from_slice(&[0x81, 0, version]);
        let report = TdReport::parse(&bytes).expect("type, subtype and version are right");
        prop_assert!(report.to_string().contains("RTMR3"));
        prop_assert!(report.check_hashes(sha384).is_err());
    }
}
