// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx quote`

use crate::describe::Fields;
use crate::exit::Exit;
use crate::output::Output;
use crate::{claims, input, report, reportdata};
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tdx_agent::{Claim, Measured, Outcome, Td};
use tdx_uapi::quote::Quote;

/// Get a Quote, or read one, and decode it
///
/// A Quote is a TDREPORT signed for others to check: `tdx verify` does that. Nothing that is printed here is proved.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Read the Quote from FILE instead ("-" is standard input); REPORTDATA is then what is expected
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    reportdata: reportdata::Options,

    /// Write the Quote to FILE ("-" is standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Print the value of one field only
    #[arg(long, value_name = "NAME")]
    field: Option<String>,

    /// How long the host may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let (bytes, expected) = match &self.file {
            Some(file) => (input::read(file)?, self.reportdata.get()?),
            None => {
                let reportdata = self.reportdata.get_or_zeros()?;
                let limit = Duration::from_secs(self.timeout);
                (Td::open()?.quote(&reportdata, limit)?, Some(reportdata))
            }
        };
        let quote = match Quote::parse(&bytes) {
            Ok(quote) => quote,
            Err(error) => {
                let claims = [Claim::fails("quote", error.to_string())];
                output.print(&json!({ "holds": false, "claims": claims }), || {
                    claims::lines(&claims)
                })?;
                return Ok(Exit::Refused);
            }
        };
        if let Some(out) = &self.out {
            output.write_file(out, &bytes)?;
        }
        let mut checked = Vec::new();
        let found = Measured::from(&quote).reportdata;
        if let Some(expected) = expected {
            let detail = match found == expected {
                true => "it is what was asked for".to_owned(),
                false => format!("found {found}, expected {expected}"),
            };
            checked.push(Claim::of("reportdata", found == expected, detail));
        }
        checked.push(Claim::unchecked("signature", "`tdx verify` checks it"));
        let holds = checked.iter().all(|claim| claim.outcome != Outcome::Fails);
        let fields = Fields::of_quote(&quote);
        report::print(
            output,
            &fields,
            &checked,
            holds,
            self.field.as_deref(),
            self.out.is_some(),
        )?;
        Ok(Exit::holds(holds))
    }
}
