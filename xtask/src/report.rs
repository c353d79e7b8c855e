// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be checked of a TDREPORT from outside of the TD.

use anyhow::{Context, Result};
use sha2::{Digest, Sha384};
use tdx_call::{mr_verifyreport, Gpa, Operand, ReportMacBuffer};
use tdx_module::{InProcess, Platform, TdParameters};
use tdx_uapi::{TdReport, REPORTMACSTRUCT_LEN};

/// Reads a report of the emulation's default platform, and checks its hashes and its MAC.
pub(crate) fn check(bytes: &[u8]) -> Result<&TdReport> {
    let report = TdReport::parse(bytes)?;
    report.check_hashes(|part| Sha384::digest(part).into())?;

    // Any TD of the platform can verify the reports of any other.
    let verifier = InProcess::new(TdParameters::default(), Platform::default())?;
    let mut mac = ReportMacBuffer([0; REPORTMACSTRUCT_LEN]);
    mac.0.copy_from_slice(&bytes[..REPORTMACSTRUCT_LEN]);
    let gpa = Gpa((&raw const mac).expose_provenance() as u64);
    // SAFETY: The guest physical addresses of `InProcess` are those of this process.
    let operand = unsafe { Operand::new(&mac, gpa) };
    mr_verifyreport(&verifier, &operand)
        .context("TDG.MR.VERIFYREPORT says that the MAC does not hold")?;
    Ok(report)
}
