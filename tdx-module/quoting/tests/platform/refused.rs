// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is refused, by the verifier or by the quoting enclave already.

use crate::support::{report, report_after_update, report_with, verify, Fixture, NOW};
use tdx_quoting::{Collateral, MacError, Outdated, Platform, PlatformConfig, ReportError, Revoked};
use tdx_uapi::{Digest, HashMismatch, ParseError, TdReport};

/// What the verifier says of a Quote of each version when the platform is another one in `change`.
fn verdicts(
    change: impl FnOnce(&mut PlatformConfig),
) -> [Result<(String, Vec<String>), String>; 2] {
    let mut config = PlatformConfig::default();
    change(&mut config);
    let fixture = Fixture::new(&config);
    [report(), report_after_update()].map(|report| {
        let quote = fixture.enclave.quote(&report).expect("a Quote");
        let verified = fixture.verify(&quote)?;
        Ok((verified.status, verified.advisory_ids))
    })
}

#[test]
fn outdated_platform_is_out_of_date() {
    for verdict in verdicts(|config| config.outdated = Some(Outdated::Platform)) {
        let (status, advisories) = verdict.expect("a status");
        assert_eq!(status, "OutOfDate");
        assert_eq!(advisories, ["TEST-SA-00001"]);
    }
}

#[test]
fn outdated_tdx_module_is_out_of_date_until_it_is_updated() {
    let [version_4, version_5] = verdicts(|config| config.outdated = Some(Outdated::TdxModule));
    assert_eq!(version_4.expect("a status").0, "OutOfDate");
    // The TD of this Quote was created under the old module; the one that runs now is new enough.
    assert_eq!(version_5.expect("a status").0, "TDRelaunchAdvised");
}

#[test]
fn outdated_tdx_1_0_module_is_out_of_date() {
    let mut config = PlatformConfig {
        outdated: Some(Outdated::TdxModule),
        ..PlatformConfig::default()
    };
    config.tee_tcb_svn[1] = 0;
    let fixture = Fixture::new(&config);
    let report = report_with(|report| {
        report.tee_tcb_info.tee_tcb_svn = config.tee_tcb_svn;
        report.tee_tcb_info.tee_tcb_svn2 = config.tee_tcb_svn;
    });
    let quote = fixture.enclave.quote(&report).expect("a Quote");
    assert_eq!(
        fixture.verify(&quote).expect("a status").status,
        "OutOfDate"
    );
}

#[test]
fn outdated_quoting_enclave_is_out_of_date() {
    for verdict in verdicts(|config| config.outdated = Some(Outdated::Qe)) {
        let (status, advisories) = verdict.expect("a status");
        assert_eq!(status, "OutOfDate");
        assert_eq!(advisories, ["TEST-SA-00001"]);
    }
}

#[test]
fn revoked_certificates_are_refused() {
    for revoked in [Revoked::Pck, Revoked::PlatformCa, Revoked::TcbSigning] {
        for verdict in verdicts(|config| config.revoked = Some(revoked)) {
            let error = verdict.expect_err("to be refused");
            assert!(error.contains("CertRevoked"), "{revoked:?}: {error}");
        }
    }
}

#[test]
fn collateral_is_refused_before_and_after_its_time() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(&report()).expect("a Quote");
    let at = |now| {
        verify(
            &quote,
            fixture.platform.root_der(),
            &fixture.collateral,
            now,
        )
    };
    let refused = |now| at(now).expect_err("to be refused");

    assert!(refused("2026-11-19T23:59:59Z").contains("issue date is in the future"));
    assert!(at("2026-11-20T00:00:00Z").is_ok());
    assert!(at("2026-12-19T23:59:59Z").is_ok());
    let error = refused("2026-12-20T00:00:01Z");
    assert!(error.contains("CrlExpired"), "{error}");
}

#[test]
fn tcb_info_and_qe_identity_are_refused_after_their_time() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(&report()).expect("a Quote");
    let now = "2026-12-20T00:00:01Z";
    let old = &fixture.collateral;
    let new = fixture
        .platform
        .collateral("2026-12-20T00:00:00Z".parse().unwrap())
        .expect("collateral");
    let verdict = |collateral: &Collateral| {
        verify(&quote, fixture.platform.root_der(), collateral, now).map(|verified| verified.status)
    };
    assert_eq!(verdict(&new), Ok("UpToDate".to_owned()));
    let error = verdict(&Collateral {
        tcb_info: old.tcb_info.clone(),
        tcb_info_signature: old.tcb_info_signature,
        ..new.clone()
    });
    assert_eq!(error, Err("TCBInfo expired".to_owned()));
    let error = verdict(&Collateral {
        qe_identity: old.qe_identity.clone(),
        qe_identity_signature: old.qe_identity_signature,
        ..new.clone()
    });
    assert_eq!(error, Err("QE Identity expired".to_owned()));
}

#[test]
fn certificates_are_refused_after_their_time() {
    let verdicts = verdicts(|config| config.not_after = "2026-11-01T00:00:00Z".parse().unwrap());
    for verdict in verdicts {
        let error = verdict.expect_err("to be refused");
        assert!(error.contains("CertExpired"), "{error}");
    }
}

#[test]
fn root_of_another_seed_is_refused() {
    let config = PlatformConfig::default();
    let fixture = Fixture::new(&config);
    let other = Platform::from_seed(b"another seed", &config).expect("a platform");
    let quote = fixture.enclave.quote(&report()).expect("a Quote");

    let error = verify(&quote, other.root_der(), &fixture.collateral, NOW).expect_err("refused");
    assert!(error.contains("root CA CRL"), "{error}");
    let collateral = other
        .collateral("2026-11-20T00:00:00Z".parse().unwrap())
        .expect("collateral");
    let error = verify(&quote, other.root_der(), &collateral, NOW).expect_err("refused");
    assert!(error.contains("certificate chain"), "{error}");
}

#[test]
fn report_of_another_platform_is_not_quoted() {
    let enclave = Fixture::new(&PlatformConfig::default()).enclave;
    let refusal = |change: fn(&mut TdReport)| {
        let mut report = report();
        change(&mut report);
        enclave.quote(&report).expect_err("to be refused")
    };
    assert_eq!(
        refusal(|report| report.mac.mac[31] ^= 1),
        ReportError::Mac(MacError::Mac)
    );
    assert_eq!(
        refusal(|report| report.mac.reportdata[0] ^= 1),
        ReportError::Mac(MacError::Mac)
    );
    assert_eq!(
        refusal(|report| report.mac.cpu_svn[0] ^= 1),
        ReportError::Mac(MacError::CpuSvn)
    );
    assert_eq!(
        refusal(|report| report.tee_tcb_info.mr_seam.0[0] ^= 1),
        ReportError::Hash(HashMismatch::TeeTcbInfo)
    );
    assert_eq!(
        refusal(|report| report.td_info.rtmr[3].0[47] ^= 1),
        ReportError::Hash(HashMismatch::TdInfo)
    );
}

#[test]
fn report_that_its_version_does_not_allow_is_not_quoted() {
    let enclave = Fixture::new(&PlatformConfig::default()).enclave;
    let refusal =
        |change: fn(&mut TdReport)| enclave.quote(&report_with(change)).expect_err("refused");
    assert_eq!(
        refusal(|report| report.mac.report_type.kind = 0),
        ReportError::Kind(ParseError::Type { found: 0 })
    );
    assert_eq!(
        refusal(|report| report.mac.report_type.version = 2),
        ReportError::Kind(ParseError::Version { found: 2 })
    );
    assert_eq!(
        refusal(|report| report.tee_tcb_info.valid = 0x101ff.into()),
        ReportError::Valid { found: 0x101ff }
    );
    let reserved = |field, version| ReportError::Reserved { field, version };
    assert_eq!(
        refusal(|report| report.td_info.servtd_hash = Digest([1; 48])),
        reserved("SERVTD_HASH", 0)
    );
    assert_eq!(
        refusal(|report| report.mac.report_type.reserved = 1),
        reserved("byte 3", 0)
    );
    assert_eq!(
        refusal(|report| report.mac.reserved0[11] = 1),
        reserved("REPORTMACSTRUCT at 4", 0)
    );
    assert_eq!(
        refusal(|report| report.mac.reserved1[0] = 1),
        reserved("REPORTMACSTRUCT at 192", 0)
    );
    assert_eq!(
        refusal(|report| report.reserved[16] = 1),
        reserved("TDREPORT at 495", 0)
    );
    assert_eq!(
        refusal(|report| {
            report.mac.report_type.version = 1;
            report.td_info.reserved[63] = 1;
        }),
        reserved("TDINFO at 448", 1)
    );
}
