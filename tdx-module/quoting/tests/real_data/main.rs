// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is made here beside what real platforms and Intel's libraries made.

use der::oid::ObjectIdentifier;
use der::{Decode as _, Tag, Tagged as _};
use serde_json::Value;
use std::process::ExitCode;
use tdx_quoting::quote::{Body, Quote, PCK_CERTIFICATE_CHAIN};
use tdx_quoting::{Collateral, Platform, PlatformConfig};
use x509_cert::crl::CertificateList;
use x509_cert::ext::Extension;
use x509_cert::Certificate;

mod qgs_samples;

const V4: &str = "quote-v4.bin";
const V5: &str = "quote-v5-outdated.bin";
const COLLATERAL: &str = "quote-v4.collateral.json";

fn main() -> ExitCode {
    let mut tests = vec![
        testdata::test(version_4_quote_reads_as_its_dump, [V4]),
        testdata::test(version_5_quote_reads_as_its_dump, [V5]),
        testdata::test(cut_off_quotes_are_refused, [V4, V5]),
        testdata::test(certificates_have_the_extensions_of_real_ones, [V4]),
        testdata::test(sgx_extension_has_the_parts_of_a_real_one, [V4]),
        testdata::test(crls_have_the_extensions_of_real_ones, [COLLATERAL]),
        testdata::test(
            collateral_has_the_fields_of_real_ones_in_order,
            [COLLATERAL],
        ),
    ];
    tests.extend(qgs_samples::tests());
    testdata::run(tests)
}

fn platform() -> Platform {
    Platform::from_seed(b"seed of the tests", &PlatformConfig::default()).expect("a platform")
}

fn collateral() -> Collateral {
    platform()
        .collateral("2026-11-20T00:00:00Z".parse().expect("a time"))
        .expect("collateral")
}

/// What both of the real Quotes have, which is all but the version and the TD.
#[track_caller]
fn assert_common(quote: &Quote<'_>, qe_svn: u16) {
    assert_eq!(quote.header.attestation_key_type.get(), 2);
    assert_eq!(quote.header.tee_type.get(), 0x81);
    assert_eq!(quote.header.vendor_id, tdx_quoting::quote::INTEL_VENDOR_ID);
    assert_eq!(quote.qe_report.attributes[0], 0x15);
    assert_eq!(quote.qe_report.mr_signer[..4], [0xdc, 0x9e, 0x2a, 0x7c]);
    assert_eq!(quote.qe_report.isv_prod_id.get(), 2);
    assert_eq!(quote.qe_report.isv_svn.get(), qe_svn);
    assert!((0..32).eq(quote.qe_authentication_data.iter().copied()));
    assert_eq!(quote.certification_type, PCK_CERTIFICATE_CHAIN);
    let chain = quote.certification_data;
    assert!(chain.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
    assert!(chain.ends_with(b"-----END CERTIFICATE-----\n\0"));
}

fn version_4_quote_reads_as_its_dump([bytes]: [Vec<u8>; 1]) {
    let quote = Quote::parse(&bytes).expect("a real Quote");
    assert_common(&quote, 6);
    assert!(matches!(quote.body, Body::Td1_0(_)));
    assert_eq!(quote.header.version.get(), 4);
    assert_eq!(quote.header.user_data[..4], [0x88, 0x9b, 0x7d, 0x6f]);
    assert_eq!(quote.td().tee_tcb_svn[..3], [6, 1, 3]);
    assert_eq!(quote.td().mrtd.0, bytes[48 + 136..][..48]);
    assert_eq!(quote.td().reportdata, bytes[48 + 520..][..64]);
    assert_eq!(quote.signed.len(), 632);
    assert_eq!(quote.certification_data.len(), 3678);
    assert_eq!(quote.rest, [0; 70]);
}

fn version_5_quote_reads_as_its_dump([bytes]: [Vec<u8>; 1]) {
    let quote = Quote::parse(&bytes).expect("a real Quote");
    assert_common(&quote, 7);
    let Body::Td1_5(body) = quote.body else {
        panic!("a body of TDX 1.5 was expected");
    };
    assert_eq!(quote.header.version.get(), 5);
    assert_eq!(body.base.tee_tcb_svn[..3], [7, 1, 3]);
    assert_eq!(body.tee_tcb_svn2[..3], [13, 1, 3]);
    assert_eq!(body.mr_service_td, tdx_uapi::Digest::ZERO);
    assert_eq!(quote.signed.len(), 702);
    assert_eq!(quote.rest, [0; 0]);
}

fn cut_off_quotes_are_refused(quotes: [Vec<u8>; 2]) {
    for bytes in quotes {
        let whole = Quote::parse(&bytes).expect("a real Quote");
        for length in 0..bytes.len() - whole.rest.len() {
            assert!(Quote::parse(&bytes[..length]).is_err(), "{length} bytes");
        }
    }
}

/// The certificates in the text of a Quote.
fn chain(text: &[u8]) -> Vec<Certificate> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    Certificate::load_pem_chain(text).expect("certificates")
}

fn ids(extensions: &Option<Vec<Extension>>) -> Vec<(ObjectIdentifier, bool)> {
    let extensions = extensions.as_deref().expect("extensions");
    extensions
        .iter()
        .map(|extension| (extension.extn_id, extension.critical))
        .collect()
}

fn certificates_have_the_extensions_of_real_ones([quote]: [Vec<u8>; 1]) {
    // Key usage and basic constraints: equal bytes are wanted, not the same kind only.
    const FIXED: [&str; 2] = ["2.5.29.15", "2.5.29.19"];
    let quote = Quote::parse(&quote).expect("a real Quote");
    let real = chain(quote.certification_data);
    let ours = chain(platform().pck_chain_pem().as_bytes());
    assert_eq!(ours.len(), real.len());
    for (ours, real) in ours.iter().zip(&real) {
        let (ours, real) = (&ours.tbs_certificate, &real.tbs_certificate);
        assert_eq!(ids(&ours.extensions), ids(&real.extensions));
        let values = |extensions: &Option<Vec<Extension>>| {
            let mut fixed = extensions.clone().expect("extensions");
            fixed.retain(|extension| FIXED.contains(&&*extension.extn_id.to_string()));
            fixed
        };
        assert_eq!(values(&ours.extensions), values(&real.extensions));
        assert_eq!(ours.version, real.version);
        assert_eq!(ours.signature, real.signature);
        let algorithm =
            |info: &x509_cert::TbsCertificate| info.subject_public_key_info.algorithm.clone();
        assert_eq!(algorithm(ours), algorithm(real));
    }
}

/// The parts of an SGX extension: their numbers and the kinds of their values.
fn parts(der: &[u8]) -> Vec<(ObjectIdentifier, Tag)> {
    #[derive(der::Sequence)]
    struct Part {
        id: ObjectIdentifier,
        value: der::Any,
    }
    let found = Vec::<Part>::from_der(der).expect("a sequence of parts");
    found
        .iter()
        .flat_map(|part| {
            let mut all = vec![(part.id, part.value.tag())];
            if part.value.tag() == Tag::Sequence {
                all.extend(parts(&der::Encode::to_der(&part.value).expect("DER")));
            }
            all
        })
        .collect()
}

fn sgx_extension_has_the_parts_of_a_real_one([quote]: [Vec<u8>; 1]) {
    let quote = Quote::parse(&quote).expect("a real Quote");
    let sgx_extension = |certificates: &[Certificate]| {
        let extensions = certificates[0].tbs_certificate.extensions.clone();
        let last = extensions.expect("extensions").pop().expect("one");
        parts(last.extn_value.as_bytes())
    };
    let real = sgx_extension(&chain(quote.certification_data));
    assert_eq!(real.len(), 7 + 18 + 3);
    assert_eq!(
        sgx_extension(&chain(platform().pck_chain_pem().as_bytes())),
        real
    );
}

fn crls_have_the_extensions_of_real_ones([real]: [Vec<u8>; 1]) {
    let real: Value = serde_json::from_slice(&real).expect("JSON");
    let ours = collateral();
    for (ours, name) in [(ours.root_ca_crl, "root_ca_crl"), (ours.pck_crl, "pck_crl")] {
        let real = hex::decode(real[name].as_str().expect("text")).expect("digits");
        let [ours, real] = [ours, real].map(|crl| CertificateList::from_der(&crl).expect("a CRL"));
        let (ours, real) = (ours.tbs_cert_list, real.tbs_cert_list);
        assert_eq!(ours.version, real.version);
        assert_eq!(ours.signature, real.signature);
        assert_eq!(ids(&ours.crl_extensions), ids(&real.crl_extensions));
        assert!(ours.next_update.is_some());
    }
}

/// The names in a JSON value, in their order, with those that they are in.
fn names(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                names(value, &path, found);
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, path, found)),
        _ => {}
    }
}

fn names_of(json: &str) -> Vec<String> {
    let mut found = Vec::new();
    names(&serde_json::from_str(json).expect("JSON"), "", &mut found);
    found
}

fn collateral_has_the_fields_of_real_ones_in_order([real]: [Vec<u8>; 1]) {
    let real: Value = serde_json::from_slice(&real).expect("JSON");
    let ours = collateral();
    for (ours, name) in [
        (&ours.tcb_info, "tcb_info"),
        (&ours.qe_identity, "qe_identity"),
    ] {
        let real = real[name].as_str().expect("text");
        let mut ours = names_of(ours);
        // In this sample no quoting enclave is out of date.
        if name == "qe_identity" {
            ours.retain(|name| name != ".tcbLevels.advisoryIDs");
        } else {
            ours.retain(|name| name != ".tdxModuleIdentities.tcbLevels.advisoryIDs");
        }
        assert_eq!(ours, names_of(real));
    }
    let ours: Value = serde_json::from_str(&ours.to_json()).expect("JSON");
    let top = |value: &Value| {
        value
            .as_object()
            .expect("fields")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(top(&ours), top(&real));
}
