// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is accepted, and what the verifier reads from it.

use crate::support::{load, report, report_after_update, report_with, time, verify, Fixture, NOW};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::QuotePolicy;
use tdx_quoting::quote::{Body, Quote};
use tdx_quoting::{Platform, PlatformConfig};
use tdx_uapi::{Digest, TdReport, TeeTcbInfo};

#[track_caller]
fn version_of(report: &TdReport) -> u16 {
    let quote = Fixture::new(&PlatformConfig::default())
        .enclave
        .quote(report)
        .expect("a Quote");
    Quote::parse(&quote).expect("a Quote").header.version.get()
}

#[test]
fn version_4_quote_is_up_to_date_and_tells_the_td() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let report = report();
    let quote = fixture.enclave.quote(&report).expect("a Quote");
    assert_eq!(quote[..2], [4, 0]);

    let verified = fixture.verify(&quote).expect("to be accepted");
    assert_eq!(verified.status, "UpToDate");
    assert_eq!(verified.advisory_ids, [""; 0]);
    let td = verified.report.as_td10().expect("a TD");
    assert!(verified.report.as_td15().is_none());
    assert_eq!(td.tee_tcb_svn, report.tee_tcb_info.tee_tcb_svn);
    assert_eq!(td.mr_seam, report.tee_tcb_info.mr_seam.0);
    assert_eq!(
        td.td_attributes,
        report.td_info.attributes.get().to_le_bytes()
    );
    assert_eq!(td.xfam, report.td_info.xfam.get().to_le_bytes());
    assert_eq!(td.mr_td, report.td_info.mrtd.0);
    assert_eq!(td.mr_config_id, report.td_info.mr_config_id.0);
    assert_eq!(td.mr_owner, report.td_info.mr_owner.0);
    assert_eq!(td.mr_owner_config, report.td_info.mr_owner_config.0);
    assert_eq!(
        [td.rt_mr0, td.rt_mr1, td.rt_mr2, td.rt_mr3].map(Digest),
        report.td_info.rtmr
    );
    assert_eq!(td.report_data, report.mac.reportdata);
}

#[test]
fn version_5_quote_is_up_to_date_and_tells_the_second_tcb_svn() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let report = report_after_update();
    let quote = fixture.enclave.quote(&report).expect("a Quote");
    assert_eq!(quote[..2], [5, 0]);

    let verified = fixture.verify(&quote).expect("to be accepted");
    assert_eq!(verified.status, "UpToDate");
    let td = verified.report.as_td15().expect("a TD under TDX 1.5");
    assert_eq!(td.tee_tcb_svn2, report.tee_tcb_info.tee_tcb_svn2);
    assert_eq!(td.mr_service_td, [0; 48]);
    assert_eq!(td.base.tee_tcb_svn, report.tee_tcb_info.tee_tcb_svn);
    assert_eq!(td.base.mr_td, report.td_info.mrtd.0);
    assert_eq!(td.base.report_data, report.mac.reportdata);
}

#[test]
fn strictest_policy_of_the_verifier_accepts() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(&report()).expect("a Quote");
    let now = time(NOW).unix();
    let claims = QuoteVerifier::new(fixture.platform.root_der().to_vec())
        .verify_with_policy(
            &quote,
            load(&fixture.collateral),
            now,
            &QuotePolicy::strict(now),
        )
        .expect("to be accepted");
    assert_eq!(
        claims.earliest_issue_date,
        time("2020-01-01T00:00:00Z").unix()
    );
    assert_eq!(
        claims.earliest_expiration_date,
        time("2026-12-20T00:00:00Z").unix()
    );
    assert_eq!(claims.platform.pck_crl_num, 1);
}

#[test]
fn platform_without_a_module_version_is_up_to_date() {
    let mut config = PlatformConfig::default();
    config.tee_tcb_svn[1] = 0;
    let fixture = Fixture::new(&config);
    let report = report_with(|report| report.tee_tcb_info.tee_tcb_svn = config.tee_tcb_svn);
    let quote = fixture.enclave.quote(&report).expect("a Quote");
    assert_eq!(fixture.verify(&quote).expect("accepted").status, "UpToDate");
}

#[test]
fn tdx_1_0_report_becomes_version_4() {
    assert_eq!(
        version_of(&report_with(|report| {
            report.tee_tcb_info.valid = TeeTcbInfo::VALID_1_0.into();
            report.tee_tcb_info.tee_tcb_svn2 = [0; 16];
        })),
        4
    );
}

#[test]
fn tdx_1_5_report_with_equal_tcb_svns_becomes_version_4() {
    assert_eq!(version_of(&report()), 4);
}

#[test]
fn tdx_1_5_report_with_two_tcb_svns_becomes_version_5() {
    assert_eq!(version_of(&report_after_update()), 5);
}

#[test]
fn report_with_a_service_td_becomes_version_5_and_tells_its_hash() {
    let service_td = Digest([0x5d; 48]);
    let fixture = Fixture::new(&PlatformConfig::default());
    for valid in [TeeTcbInfo::VALID_1_0, TeeTcbInfo::VALID_1_5] {
        let report = report_with(|report| {
            report.mac.report_type.version = 1;
            report.tee_tcb_info.valid = valid.into();
            report.td_info.servtd_hash = service_td;
        });
        let quote = fixture.enclave.quote(&report).expect("a Quote");
        let quote = Quote::parse(&quote).expect("a Quote");
        let Body::Td1_5(body) = quote.body else {
            panic!("a body of TDX 1.5 was expected");
        };
        assert_eq!(body.mr_service_td, service_td);
        assert_eq!(body.tee_tcb_svn2, report.tee_tcb_info.tee_tcb_svn);
    }
}

#[test]
fn quotes_of_both_versions_have_the_same_length() {
    let enclave = Fixture::new(&PlatformConfig::default()).enclave;
    let version_4 = enclave.quote(&report()).expect("a Quote");
    let version_5 = enclave.quote(&report_after_update()).expect("a Quote");
    assert_eq!(version_4.len(), enclave.quote_len());
    assert_eq!(version_5.len(), enclave.quote_len());
    assert_eq!(Quote::parse(&version_4).expect("a Quote").rest, [0; 70]);
    assert_eq!(Quote::parse(&version_5).expect("a Quote").rest, [0; 0]);
}

#[test]
fn same_seed_gives_the_same_bytes() {
    let one = Fixture::new(&PlatformConfig::default());
    let other = Fixture::new(&PlatformConfig::default());
    assert_eq!(one.platform.root_der(), other.platform.root_der());
    assert_eq!(one.platform.pck_chain_pem(), other.platform.pck_chain_pem());
    assert_eq!(one.collateral, other.collateral);
    for report in [report(), report_after_update()] {
        assert_eq!(one.enclave.quote(&report), other.enclave.quote(&report));
    }
}

#[test]
fn another_seed_gives_another_platform() {
    let config = PlatformConfig::default();
    let other = Platform::from_seed(b"another seed", &config).expect("a platform");
    let one = Fixture::new(&config);
    assert_ne!(one.platform.root_der(), other.root_der());
    assert_ne!(one.platform.pck_chain_pem(), other.pck_chain_pem());
}

#[test]
fn quote_is_accepted_with_collateral_of_any_later_day() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(&report()).expect("a Quote");
    for day in ["2026-11-20T00:00:00Z", "2030-02-28T00:00:00Z"] {
        let collateral = fixture
            .platform
            .collateral(day.parse().expect("a day"))
            .expect("collateral");
        let verified = verify(&quote, fixture.platform.root_der(), &collateral, day);
        assert_eq!(verified.expect("to be accepted").status, "UpToDate");
    }
    assert!(fixture.verify(&quote).is_ok(), "at {NOW}");
}
