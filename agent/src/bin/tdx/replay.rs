// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx replay`

use crate::exit::Exit;
use crate::output::Output;
use crate::{claims, input, logs};
use anyhow::{ensure, Context as _, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tdx_agent::replay::html;
use tdx_agent::{Claim, Evidence, Measured, Outcome};
use tdx_uapi::quote::Quote;
use tdx_uapi::TdReport;

/// Say whether the logs lead to the registers, and if not, where and why not
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    logs: logs::Options,

    /// Compare with the registers of this TDREPORT, Quote or evidence
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// Compare with the values and events of this policy, too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

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
        let mut claims = Vec::new();
        if let Some(measured) = &measured {
            claims = replay.claims(&measured.rtmr);
            if let Some(earlier) = &found.earlier {
                claims.push(Claim::unchecked(
                    "runtime-log",
                    format!("{}; it is left out", earlier.why),
                ));
            }
            if let Some(path) = &self.policy {
                let policy = crate::policy::read(path)?;
                claims.extend(policy.claims(measured));
                claims.extend(policy.event_claims(Some(&replay), measured));
            }
        }
        if let Some(path) = &self.html {
            let page = html(&replay, measured.as_ref(), &claims);
            output.write_file(path, page.as_bytes())?;
        }
        if measured.is_none() {
            ensure!(
                self.html.is_some() && self.policy.is_none(),
                "there are no registers to compare with; name a TDREPORT, Quote or evidence with --against"
            );
            return Ok(Exit::Success);
        }
        let holds = claims.iter().all(|claim| claim.outcome != Outcome::Fails);
        output.print(&json!({ "holds": holds, "claims": claims }), || {
            claims::lines(&claims)
        })?;
        Ok(Exit::holds(holds))
    }
}

/// What a TDREPORT, a Quote or evidence says.
pub(crate) fn measured(bytes: &[u8]) -> Result<Measured> {
    if bytes.first() == Some(&b'{') {
        let evidence = Evidence::from_json(bytes)?;
        let quote = Quote::parse(&evidence.quote).context("the Quote in the evidence")?;
        return Ok((&quote).into());
    }
    if let Ok(report) = TdReport::parse(bytes) {
        return Ok(report.into());
    }
    let quote = Quote::parse(bytes).context("neither a TDREPORT nor a Quote, nor evidence")?;
    Ok((&quote).into())
}
