// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The way of a report from the model's TDX module to a verifier.

use crate::support::{verify, NOW};
use tdx_call::{mr_report, Gpa, Operand, OperandMut, ReportBuffer, ReportDataBuffer};
use tdx_module::{Generation, InProcess, TdParameters};
use tdx_quoting::quote::Quote;
use tdx_quoting::{model, MacError, PlatformConfig, QuotingEnclave, ReportError};
use tdx_uapi::{Digest, TdReport};

/// What TDG.MR.REPORT gives to a TD on `platform`.
fn report(td: TdParameters, platform: &tdx_module::Platform) -> TdReport {
    let tdx = InProcess::new(td, platform.clone()).expect("a TD");
    let reportdata = ReportDataBuffer([7; 64]);
    let mut report = ReportBuffer::ZERO;
    let (reportdata_gpa, report_gpa) = (
        Gpa(&raw const reportdata as u64),
        Gpa(&raw const report as u64),
    );
    // SAFETY: The address is that of the buffer, in the one address space that there is.
    let reportdata = unsafe { Operand::new(&reportdata, reportdata_gpa) };
    // SAFETY: As above.
    let mut out = unsafe { OperandMut::new(&mut report, report_gpa) };
    mr_report(&tdx, &mut out, &reportdata).expect("a report");
    TdReport::parse(&report.0).expect("a report").clone()
}

/// What the verifier says of the Quote for a TD on `platform`.
fn verdict(td: TdParameters, platform: &tdx_module::Platform) -> (u16, Result<String, String>) {
    let quoting = model::platform(platform, &PlatformConfig::default()).expect("a platform");
    let quote = model::quoting_enclave(&quoting, platform)
        .quote(&report(td, platform))
        .expect("a Quote");
    let collateral = quoting.collateral(NOW.parse().expect("a time"));
    let verified = verify(
        &quote,
        quoting.root_der(),
        &collateral.expect("collateral"),
        NOW,
    );
    let version = Quote::parse(&quote).expect("a Quote").header.version.get();
    (version, verified.map(|verified| verified.status))
}

fn up_to_date() -> Result<String, String> {
    Ok("UpToDate".to_owned())
}

#[test]
fn td_on_the_default_platform_is_up_to_date() {
    let platform = tdx_module::Platform::default();
    let verdict = verdict(TdParameters::default(), &platform);
    assert_eq!(verdict, (4, up_to_date()));
}

#[test]
fn td_on_a_tdx_1_0_platform_is_up_to_date() {
    let platform = tdx_module::Platform {
        generation: Generation::Tdx10,
        tee_tcb_svn: *b"\x03\0\x06\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ..tdx_module::Platform::default()
    };
    let verdict = verdict(TdParameters::default(), &platform);
    assert_eq!(verdict, (4, up_to_date()));
}

#[test]
fn td_whose_module_was_updated_is_up_to_date() {
    let mut platform = tdx_module::Platform::default();
    platform.tee_tcb_svn2[0] += 1;
    let verdict = verdict(TdParameters::default(), &platform);
    assert_eq!(verdict, (5, up_to_date()));
}

#[test]
fn td_with_a_service_td_gets_a_quote_that_the_verifier_wants_permission_for() {
    let td = TdParameters {
        servtd_hash: Some(Digest([1; 48])),
        ..TdParameters::default()
    };
    let (version, verdict) = verdict(td, &tdx_module::Platform::default());
    assert_eq!(version, 5);
    assert_eq!(verdict, Err("Invalid MR service TD".to_owned()));
}

fn enclave(platform: &tdx_module::Platform) -> QuotingEnclave {
    let quoting = model::platform(platform, &PlatformConfig::default()).expect("a platform");
    model::quoting_enclave(&quoting, platform)
}

#[test]
fn report_of_another_seed_is_not_quoted() {
    let platform = tdx_module::Platform::default();
    let mut other = platform.clone();
    other.seed[0] = 1;
    assert_eq!(
        enclave(&other).quote(&report(TdParameters::default(), &platform)),
        Err(ReportError::Mac(MacError::Mac))
    );
}

#[test]
fn report_of_another_cpu_svn_is_not_quoted() {
    let platform = tdx_module::Platform::default();
    let mut other = platform.clone();
    other.cpu_svn[1] = 1;
    assert_eq!(
        enclave(&other).quote(&report(TdParameters::default(), &platform)),
        Err(ReportError::Mac(MacError::CpuSvn))
    );
}

#[test]
fn default_configuration_is_the_default_models() {
    let (ours, model) = (PlatformConfig::default(), tdx_module::Platform::default());
    assert_eq!(ours.cpu_svn, model.cpu_svn);
    assert_eq!(ours.tee_tcb_svn, model.tee_tcb_svn);
}
