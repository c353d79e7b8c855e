// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reader of Quotes beside that of `dcap-qvl`, on real Quotes with some bytes changed.
//!
//! What is read here is read there, too, and every field is the same. What is only read there is refused here for one of
//! the [known reasons](KNOWN).

use dcap_qvl::quote::{AuthData, Quote as Theirs, Report};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::cell::Cell;
use std::process::ExitCode;
use tdx_uapi::quote::{Body, Quote, QuoteError};
use zerocopy::IntoBytes;

/// What `dcap-qvl` leaves to its verifier, or knows and we do not: Quotes for SGX and of version 3, later kinds of body, other
/// keys and certification data, and bytes to spare in parts that have a length. Nothing covers such bytes with a signature.
const KNOWN: [&str; 8] = [
    "TEE type",
    "attestation key type",
    "version",
    "body type",
    "certification data type",
    "excess of the body",
    "excess of the signature data",
    "excess of the certification data",
];

fn main() -> ExitCode {
    testdata::run(vec![
        testdata::test(quotes_of_version_4_read_the_same, ["quote-v4.bin"]),
        testdata::test(quotes_of_version_5_read_the_same, ["quote-v5-outdated.bin"]),
    ])
}

fn quotes_of_version_4_read_the_same([quote]: [Vec<u8>; 1]) {
    read_the_same(&quote);
}

fn quotes_of_version_5_read_the_same([quote]: [Vec<u8>; 1]) {
    read_the_same(&quote);
}

/// Some bytes of a Quote, where its numbers are more often than elsewhere.
fn changes(length: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    let value = prop_oneof![0_u8..7, any::<u8>()];
    let place = prop_oneof![
        3 => 0_usize..56,
        1 => 630_usize..780,
        1 => 1210_usize..1340,
        1 => 0..length,
    ];
    proptest::collection::vec((place, value), 0..3)
}

fn read_the_same(quote: &[u8]) {
    let cuts = prop_oneof![4 => Just(0), 1 => 0..quote.len()];
    let (read, refused, only_there) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 5000,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(changes(quote.len()), cuts), |(changes, cut)| {
        let mut bytes = quote.to_vec();
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(quote.len() - cut);
        let count = match (Quote::parse(&bytes), Theirs::parse(&bytes)) {
            (Ok(ours), Ok(theirs)) => {
                same(&ours, &theirs)?;
                &read
            }
            (Err(_), Err(_)) => &refused,
            (Err(QuoteError::Unknown { what, .. }), Ok(_)) if KNOWN.contains(&what) => &only_there,
            (Err(error), Ok(_)) => {
                return Err(TestCaseError::fail(format!("only we refuse: {error}")))
            }
            (Ok(_), Err(error)) => {
                return Err(TestCaseError::fail(format!("only they refuse: {error}")))
            }
        };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    // Each of them did occur, so that the comparison is one.
    let counts = [read.get(), refused.get(), only_there.get()];
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

fn same(ours: &Quote<'_>, theirs: &Theirs) -> Result<(), TestCaseError> {
    let (header, body) = (&theirs.header, ours.td());
    prop_assert_eq!(ours.header.version.get(), header.version);
    prop_assert_eq!(
        ours.header.attestation_key_type.get(),
        header.attestation_key_type
    );
    prop_assert_eq!(ours.header.tee_type.get(), header.tee_type);
    let svns = [header.qe_svn.to_le_bytes(), header.pce_svn.to_le_bytes()].concat();
    prop_assert_eq!(&ours.header.reserved[..], svns);
    prop_assert_eq!(ours.header.vendor_id, header.qe_vendor_id);
    prop_assert_eq!(ours.header.user_data, header.user_data);
    prop_assert_eq!(ours.signed.len(), theirs.signed_length());

    let report = match (&theirs.report, ours.body) {
        (Report::TD10(report), Body::Td1_0(_)) => report,
        (Report::TD15(report), Body::Td1_5(body)) => {
            prop_assert_eq!(body.tee_tcb_svn2, report.tee_tcb_svn2);
            prop_assert_eq!(body.mr_service_td.0, report.mr_service_td);
            &report.base
        }
        (other, _) => return Err(TestCaseError::fail(format!("another body: {other:?}"))),
    };
    prop_assert_eq!(body.tee_tcb_svn, report.tee_tcb_svn);
    prop_assert_eq!(body.mr_seam.0, report.mr_seam);
    prop_assert_eq!(body.mr_signer_seam.0, report.mr_signer_seam);
    prop_assert_eq!(body.seam_attributes.as_bytes(), report.seam_attributes);
    prop_assert_eq!(body.td_attributes.as_bytes(), report.td_attributes);
    prop_assert_eq!(body.xfam.as_bytes(), report.xfam);
    prop_assert_eq!(body.mrtd.0, report.mr_td);
    prop_assert_eq!(body.mr_config_id.0, report.mr_config_id);
    prop_assert_eq!(body.mr_owner.0, report.mr_owner);
    prop_assert_eq!(body.mr_owner_config.0, report.mr_owner_config);
    let rtmrs = [report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3];
    prop_assert_eq!(body.rtmr.map(|rtmr| rtmr.0), rtmrs);
    prop_assert_eq!(body.reportdata, report.report_data);

    let AuthData::V4(data) = &theirs.auth_data else {
        return Err(TestCaseError::fail("signature data of version 3"));
    };
    prop_assert_eq!(*ours.signature, data.ecdsa_signature);
    prop_assert_eq!(*ours.attestation_key, data.ecdsa_attestation_key);
    let qe = &data.qe_report_data;
    prop_assert_eq!(ours.qe_report.as_bytes(), qe.qe_report);
    prop_assert_eq!(*ours.qe_report_signature, qe.qe_report_signature);
    prop_assert_eq!(ours.qe_authentication_data, &qe.qe_auth_data.data);
    prop_assert_eq!(ours.certification_type, qe.certification_data.cert_type);
    prop_assert_eq!(ours.certification_data, &qe.certification_data.body.data);
    Ok(())
}
