// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx report`

use crate::decoded;
use crate::describe::Fields;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use sha2::{Digest as _, Sha384};
use std::time::Duration;
use tdx_agent::{Claim, Measured, Td};
use tdx_uapi::{HashMismatch, TdReport};

/// Get a TDREPORT, or read one, decode it and check its hashes
///
/// A TDREPORT is what the TDX module says of this TD. It can be proved on this machine only; a Quote is for others.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    decoded: decoded::Options,
}

/// How long a report may take.
const LIMIT: Duration = Duration::from_secs(10);

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let got = self
            .decoded
            .get(|reportdata| Ok(Td::open()?.report(reportdata, LIMIT)?.to_vec()))?;
        let report = match TdReport::parse(&got.bytes) {
            Ok(report) => report,
            Err(error) => return self.decoded.refuse(output, "report", error),
        };
        let mut checked = hashes(report);
        checked.extend(got.reportdata(Measured::from(report).reportdata));
        self.decoded
            .put(output, &got.bytes, &Fields::of_report(report), &checked)
    }
}

fn hashes(report: &TdReport) -> Vec<Claim> {
    let result = report.check_hashes(|bytes| Sha384::digest(bytes).into());
    let module = result != Err(HashMismatch::TeeTcbInfo);
    vec![
        Claim::of(
            "tee_tcb_info_hash",
            module,
            if module {
                "it is that of the part about the TDX module"
            } else {
                "the part about the TDX module was changed"
            },
        ),
        match result {
            Ok(()) => Claim::holds("tee_info_hash", "it is that of the part about the TD"),
            Err(HashMismatch::TeeTcbInfo) => {
                Claim::unchecked("tee_info_hash", "tee_tcb_info_hash fails")
            }
            Err(_) => Claim::fails("tee_info_hash", "the part about the TD was changed"),
        },
    ]
}
