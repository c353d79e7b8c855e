// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `tdx report` and `tdx quote` have in common: where the bytes come from, and what becomes of them.

use crate::describe::Fields;
use crate::exit::Exit;
use crate::output::Output;
use crate::{claims, input, reportdata};
use anyhow::{bail, Result};
use clap::Args;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use tdx_agent::{Claim, Outcome, ReportData};

/// Where the bytes come from, and what becomes of them.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Options {
    /// Read it from FILE instead ("-" is standard input); REPORTDATA is then what is expected
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    reportdata: reportdata::Options,

    /// Write the bytes to FILE ("-" is standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the value of one field only
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
}

/// Bytes, and the REPORTDATA that they are to carry, if that is known.
pub(crate) struct Bytes {
    pub(crate) bytes: Vec<u8>,
    expected: Option<ReportData>,
}

impl Bytes {
    /// Whether they carry the REPORTDATA that they are to.
    pub(crate) fn reportdata(&self, found: ReportData) -> Option<Claim> {
        let expected = self.expected?;
        let detail = match found == expected {
            true => "it is what was asked for".to_owned(),
            false => format!("found {found}, expected {expected}"),
        };
        Some(Claim::of("reportdata", found == expected, detail))
    }
}

impl Options {
    /// Reads the file, or asks for what carries the REPORTDATA.
    pub(crate) fn get(&self, ask: impl FnOnce(&ReportData) -> Result<Vec<u8>>) -> Result<Bytes> {
        if let Some(file) = &self.file {
            return Ok(Bytes {
                bytes: input::read(file)?,
                expected: self.reportdata.get()?,
            });
        }
        let reportdata = self.reportdata.get_or_zeros()?;
        Ok(Bytes {
            bytes: ask(&reportdata)?,
            expected: Some(reportdata),
        })
    }

    /// Says that the bytes are not what they are to be.
    pub(crate) fn refuse(
        &self,
        output: &Output,
        name: &'static str,
        error: impl fmt::Display,
    ) -> Result<Exit> {
        let claims = [Claim::fails(name, error.to_string())];
        output.print(&json!({ "holds": false, "claims": claims }), || {
            claims::lines(&claims)
        })?;
        Ok(Exit::Refused)
    }

    /// Writes the bytes where they are wanted, and prints fields and claims, or one field.
    pub(crate) fn put(
        &self,
        output: &Output,
        bytes: &[u8],
        fields: &Fields,
        checked: &[Claim],
    ) -> Result<Exit> {
        if let Some(out) = &self.out {
            output.write_file(out, bytes)?;
        }
        let holds = checked.iter().all(|claim| claim.outcome != Outcome::Fails);
        if let Some(name) = &self.field {
            let Some(value) = fields.get(name) else {
                bail!(
                    "there is no field {name}, but {}",
                    fields.names().join(", ")
                );
            };
            output.print(&json!({ name: value }), || value.to_owned())?;
        } else if self.out.is_none() || output.is_json() {
            // Otherwise standard output may be where the bytes went.
            let mut json = fields.to_json();
            json["claims"] = json!(checked);
            json["holds"] = json!(holds);
            output.print(&json, || {
                format!("{}\n{}", fields.to_text(), claims::lines(checked))
            })?;
        }
        Ok(Exit::holds(holds))
    }
}
