// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx replay`

use crate::exit::Exit;
use crate::output::Output;
use crate::{claims, input, logs};
use anyhow::{bail, Context as _, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tdx_agent::replay::html;
use tdx_agent::{Measured, Outcome};
use tdx_uapi::quote::Quote;
use tdx_uapi::TdReport;

/// Say whether the logs lead to the registers, and if not, where and why not
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    logs: logs::Options,

    /// Compare with the registers of this TDREPORT or Quote
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Write a page that shows the measured boot to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let found = self.logs.find()?;
        let replay = found.replay()?;
        let measured = match &self.against {
            None => found.measured,
            Some(path) => {
                Some(measured(&input::read(path)?).with_context(|| path.display().to_string())?)
            }
        };
        if let Some(path) = &self.html {
            let mrtd = measured.as_ref().map(|measured| &measured.mrtd);
            let page = html(
                &replay,
                measured.as_ref().map(|measured| &measured.rtmr),
                mrtd,
            );
            output.write_file(path, page.as_bytes())?;
        }
        let Some(measured) = measured else {
            if self.html.is_some() {
                return Ok(Exit::Success);
            }
            bail!(
                "there are no registers to compare with; name a TDREPORT or Quote with --against"
            );
        };
        let claims = replay.claims(&measured.rtmr);
        let holds = claims.iter().all(|claim| claim.outcome != Outcome::Fails);
        output.print(&json!({ "holds": holds, "claims": claims }), || {
            claims::lines(&claims)
        })?;
        Ok(Exit::holds(holds))
    }
}

/// What a TDREPORT or a Quote says.
pub(crate) fn measured(bytes: &[u8]) -> Result<Measured> {
    if let Ok(report) = TdReport::parse(bytes) {
        return Ok(report.into());
    }
    let quote = Quote::parse(bytes).context("neither a TDREPORT nor a Quote")?;
    Ok((&quote).into())
}
