// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a platform is, besides its seed.

use crate::Timestamp;
use serde::Deserialize;

/// What a platform is, besides its seed.
///
/// In TOML, as the command reads it, byte strings are hexadecimal, times are text, and every field may be left out:
///
/// ```toml
/// tee_tcb_svn = "06010300000000000000000000000000"
/// collateral_days = 7
/// outdated = "platform"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformConfig {
    /// FMSPC: the kind of platform. The default cannot be one of Intel's: no family has these.
    #[serde(with = "hex::serde")]
    pub fmspc: [u8; 6],
    /// CPUSVN as the processor reports it, in a TDREPORT and in the report of the quoting enclave.
    #[serde(with = "hex::serde")]
    pub cpu_svn: [u8; 16],
    /// The SVNs of the 16 components that CPUSVN stands for; the PCK certificate has them.
    #[serde(with = "hex::serde")]
    pub sgx_components: [u8; 16],
    /// The SVN of the provisioning certification enclave (PCE).
    pub pce_svn: u16,
    /// TEE_TCB_SVN: the SVNs of the TDX module. Byte 0 is its SVN, byte 1 its major version, 0 for TDX 1.0.
    #[serde(with = "hex::serde")]
    pub tee_tcb_svn: [u8; 16],
    /// The SVN of the quoting enclave.
    pub qe_svn: u16,
    /// When the validity of the certificates begins.
    pub not_before: Timestamp,
    /// When the validity of the certificates ends.
    pub not_after: Timestamp,
    /// How many days collateral (CRLs, TCB info, QE identity) is valid after its issue.
    pub collateral_days: u32,
    /// Where the certificates say that the CRLs are: the base URL of this platform's PCS.
    pub pcs_url: String,
    /// What the collateral calls out of date, for tests of verifiers.
    pub outdated: Option<Outdated>,
    /// What the collateral calls revoked, for tests of verifiers.
    pub revoked: Option<Revoked>,
}

/// A part of a platform that is older than the collateral wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outdated {
    /// The processor: a component of CPUSVN.
    Platform,
    /// The TDX module.
    TdxModule,
    /// The quoting enclave.
    Qe,
}

/// A certificate that its issuer has taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revoked {
    /// The PCK certificate, in the CRL of the platform CA.
    Pck,
    /// The platform CA's, in the CRL of the root CA.
    PlatformCa,
    /// That of the key which signs TCB info and QE identity, in the CRL of the root CA.
    TcbSigning,
}

impl Default for PlatformConfig {
    /// What goes with the default of the model, and can be nobody's real platform.
    fn default() -> Self {
        let time = |text: &str| text.parse().expect("a time");
        Self {
            fmspc: *b"\x7e\x57TDX\x00",
            cpu_svn: *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            sgx_components: [2, 2, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0],
            pce_svn: 13,
            tee_tcb_svn: [5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            qe_svn: 6,
            not_before: time("2020-01-01T00:00:00Z"),
            not_after: time("2049-12-31T23:59:59Z"),
            collateral_days: 30,
            pcs_url: "http://127.0.0.1:8081".to_owned(),
            outdated: None,
            revoked: None,
        }
    }
}
