// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx report`

use crate::describe::Fields;
use crate::exit::Exit;
use crate::output::Output;
use crate::{claims, input, reportdata};
use anyhow::{bail, Result};
use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha384};
use std::path::PathBuf;
use std::time::Duration;
use tdx_agent::{Claim, Measured, Td};
use tdx_uapi::{HashMismatch, TdReport};

/// Get a TDREPORT, or read one, decode it and check its hashes
///
/// A TDREPORT is what the TDX module says of this TD. It can be proved on this machine only; a Quote is for others.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Read the report from FILE instead ("-" is standard input); REPORTDATA is then what is expected
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    reportdata: reportdata::Options,

    /// Write the 1024 bytes to FILE
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the value of one field only
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
}

/// How long a report may take.
const LIMIT: Duration = Duration::from_secs(10);

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let (bytes, expected) = match &self.file {
            Some(file) => (input::read(file)?, self.reportdata.get()?),
            None => {
                let reportdata = self.reportdata.get_or_zeros()?;
                (
                    Td::open()?.report(&reportdata, LIMIT)?.to_vec(),
                    Some(reportdata),
                )
            }
        };
        let report = match TdReport::parse(&bytes) {
            Ok(report) => report,
            Err(error) => {
                let claims = [Claim::fails("report", error.to_string())];
                output.print(&json!({ "holds": false, "claims": claims }), || {
                    claims::lines(&claims)
                })?;
                return Ok(Exit::Refused);
            }
        };
        if let Some(out) = &self.out {
            output.write_file(out, &bytes)?;
        }
        let mut checked = hashes(report);
        let found = Measured::from(report).reportdata;
        if let Some(expected) = expected {
            let detail = match found == expected {
                true => "it is what was asked for".to_owned(),
                false => format!("found {found}, expected {expected}"),
            };
            checked.push(Claim::of("reportdata", found == expected, detail));
        }
        let holds = checked
            .iter()
            .all(|claim| claim.outcome != tdx_agent::Outcome::Fails);
        print(
            output,
            &Fields::of_report(report),
            &checked,
            holds,
            self.field.as_deref(),
            self.out.is_some(),
        )?;
        Ok(Exit::holds(holds))
    }
}

/// Prints fields and claims, or one field.
pub(crate) fn print(
    output: &Output,
    fields: &Fields,
    checked: &[Claim],
    holds: bool,
    field: Option<&str>,
    is_written: bool,
) -> Result<()> {
    if let Some(name) = field {
        let Some(value) = fields.get(name) else {
            bail!(
                "there is no field {name}, but {}",
                fields.names().join(", ")
            );
        };
        return output.print(&json!({ name: value }), || value.to_owned());
    }
    // Standard output may be where the bytes went.
    if is_written && !output.is_json() {
        return Ok(());
    }
    let mut json = fields.to_json();
    json["claims"] = json!(checked);
    json["holds"] = json!(holds);
    output.print(&json, || {
        format!("{}\n{}", fields.to_text(), claims::lines(checked))
    })
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
