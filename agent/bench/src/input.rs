// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What all have to check.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha384};
use tdx_agent::{Evidence, Measured, Policy, ReportData, TdPolicy};
use tdx_quoting::{Platform, PlatformConfig, QuotingEnclave, Timestamp};
use tdx_uapi::{Attributes, Digest, TdReport, TeeTcbInfo};
use tempfile::TempDir;
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::replay;

pub(crate) const EVIDENCE: &str = "evidence.json";
pub(crate) const POLICY: &str = "policy.toml";
pub(crate) const QUOTE: &str = "quote.bin";
pub(crate) const ROOT: &str = "root.der";
pub(crate) const COLLATERAL: &str = "collateral.json";

/// The nonce of whoever asks.
pub(crate) const NONCE: &[u8] = b"nonce";

/// A folder with a Quote of a test platform, a log that leads to its registers, both as evidence, the policy that this is
/// what is expected, and the platform's root certificate and collateral.
#[derive(Debug)]
pub(crate) struct Input(TempDir);

impl Input {
    /// Makes them for this log.
    pub(crate) fn new(log: &Path) -> Result<Self> {
        let log = fs::read(log).with_context(|| {
            format!(
                "reading the event log {}; TDX_TESTDATA names another folder to look in",
                log.display()
            )
        })?;
        let config = PlatformConfig::default();
        let platform = Platform::from_seed(b"seed of the benchmark", &config)?;
        let report = report(&config, replay::read(&log)?);
        // Any MAC is taken: what is measured begins with the Quote.
        let quote = QuotingEnclave::new(&platform, |_| Ok(())).quote(&report)?;

        let mut policy = Policy::default();
        let parsed = tdx_uapi::quote::Quote::parse(&quote)?;
        policy.td = TdPolicy::of(&Measured::from(&parsed), &[]);
        let mut evidence = Evidence::new(quote.clone());
        evidence.cc_eventlog = Some(log);

        let input = Self(tempfile::tempdir()?);
        let collateral = platform.collateral(Timestamp::today()?)?;
        input.write(QUOTE, &quote)?;
        input.write(EVIDENCE, evidence.to_json().as_bytes())?;
        input.write(POLICY, policy.to_toml().as_bytes())?;
        input.write(ROOT, platform.root_der())?;
        input.write(COLLATERAL, collateral.to_json().as_bytes())?;
        Ok(input)
    }

    /// The path of one of the files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(fs::write(self.path(name), bytes)?)
    }
}

/// That of a TD with these registers.
fn report(config: &PlatformConfig, rtmr: [Digest; 4]) -> TdReport {
    let mut report = TdReport::new_zeroed();
    report.mac.report_type.kind = 0x81;
    report.mac.cpu_svn = config.cpu_svn;
    report.mac.reportdata = ReportData::bind(NONCE, b"").0;
    report.tee_tcb_info.valid = TeeTcbInfo::VALID_1_5.into();
    report.tee_tcb_info.tee_tcb_svn = config.tee_tcb_svn;
    report.tee_tcb_info.tee_tcb_svn2 = config.tee_tcb_svn;
    report.td_info.attributes = Attributes::SEPT_VE_DISABLE.0.into();
    report.td_info.xfam = 7.into();
    report.td_info.rtmr = rtmr;
    let hash = |bytes: &[u8]| Digest(Sha384::digest(bytes).into());
    report.mac.tee_tcb_info_hash = hash(report.tee_tcb_info.as_bytes());
    report.mac.tee_info_hash = hash(report.td_info.as_bytes());
    report
}
