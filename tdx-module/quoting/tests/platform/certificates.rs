// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What others read in the certificates.

use crate::support::SEED;
use dcap_qvl::intel::{parse_pck_extension_from_pem, pck_ca};
use der::{DecodePem as _, Encode as _};
use tdx_quoting::{Platform, PlatformConfig};
use x509_cert::Certificate;

fn platform(config: &PlatformConfig) -> Platform {
    Platform::from_seed(SEED, config).expect("a platform")
}

fn chain(platform: &Platform) -> Vec<Certificate> {
    Certificate::load_pem_chain(platform.pck_chain_pem().as_bytes()).expect("certificates")
}

#[test]
fn pck_certificate_tells_the_platform() {
    let config = PlatformConfig::default();
    let chain = platform(&config).pck_chain_pem();
    let pck = parse_pck_extension_from_pem(chain.as_bytes()).expect("SGX extensions");
    assert_eq!(pck.fmspc, config.fmspc);
    assert_eq!(pck.cpu_svn, config.sgx_components);
    assert_eq!(pck.pce_svn, config.pce_svn);
    assert_eq!(pck.pce_id, [0, 0]);
    assert_eq!(pck.sgx_type, 1);
    assert_eq!(pck.ppid.len(), 16);
    assert_eq!(pck.platform_instance_id.expect("an ID").len(), 16);
    assert_eq!(pck.dynamic_platform, Some(false));
    assert_eq!(pck.cached_keys, Some(false));
    assert_eq!(pck.smt_enabled, Some(false));
}

#[test]
fn every_component_of_the_tcb_is_told() {
    let config = PlatformConfig {
        sgx_components: std::array::from_fn(|i| 0x7f + i as u8),
        pce_svn: 0x7f01,
        ..PlatformConfig::default()
    };
    let chain = platform(&config).pck_chain_pem();
    let pck = parse_pck_extension_from_pem(chain.as_bytes()).expect("SGX extensions");
    for (number, svn) in (1..=16).zip(config.sgx_components) {
        let id = format!("1.2.840.113741.1.13.1.2.{number}");
        let id = id.parse().expect("an object identifier");
        let value = pck.get_value(&id).expect("DER").expect("a component");
        // An INTEGER of DER: a zero comes before what would be negative.
        let (sign, value) = value.split_at(value.len() - 1);
        assert_eq!(value, [svn]);
        assert_eq!(sign, &[0][..usize::from(svn >= 0x80)]);
    }
}

#[test]
fn names_are_what_verifiers_insist_on_and_say_whose_they_are() {
    let chain = chain(&platform(&PlatformConfig::default()));
    let names = [
        "Intel SGX PCK Certificate",
        "Intel SGX PCK Platform CA",
        "Intel SGX Root CA",
    ];
    assert_eq!(chain.len(), names.len());
    for (certificate, name) in chain.iter().zip(names) {
        assert_eq!(
            certificate.tbs_certificate.subject.to_string(),
            format!(
                "C=US,ST=CA,L=Santa Clara,O=Intel Corporation,\
                 OU=Software TDX model: test platform\\, not Intel,CN={name}"
            )
        );
    }
    let der = chain[0].to_der().expect("DER");
    assert_eq!(pck_ca(&der).expect("a CA").as_id_str(), "platform");
}

#[test]
fn each_certificate_is_issued_by_the_next() {
    let platform = platform(&PlatformConfig::default());
    let chain = chain(&platform);
    let root = Certificate::from_pem(platform.root_pem()).expect("a certificate");
    assert_eq!(chain[2], root);
    assert_eq!(root.to_der().expect("DER"), platform.root_der());
    for (certificate, issuer) in chain.iter().zip([&chain[1], &chain[2], &chain[2]]) {
        let subject = &issuer.tbs_certificate.subject;
        assert_eq!(&certificate.tbs_certificate.issuer, subject);
    }
}

#[test]
fn serial_numbers_are_positive_and_differ() {
    let chain = chain(&platform(&PlatformConfig::default()));
    let mut serials: Vec<_> = chain
        .iter()
        .map(|certificate| certificate.tbs_certificate.serial_number.as_bytes())
        .collect();
    assert!(serials.iter().all(|serial| serial.len() == 20));
    assert!(serials.iter().all(|serial| serial[0] & 0x80 == 0));
    serials.sort_unstable();
    serials.dedup();
    assert_eq!(serials.len(), 3);
}

#[test]
fn configuration_that_no_certificate_can_have_is_refused() {
    let config = PlatformConfig {
        pcs_url: "http://münchen.example".to_owned(),
        ..PlatformConfig::default()
    };
    let error = Platform::from_seed(SEED, &config)
        .err()
        .expect("to be refused");
    assert!(error.to_string().contains("pcs_url"), "{error}");
}
