// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx policy`

use crate::exit::Exit;
use crate::logs::LIMIT;
use crate::output::Output;
use crate::replay::measured;
use crate::{claims, input};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use tdx_agent::{Measured, Outcome, Policy, ReportData, Td, TdPolicy};
use tdx_uapi::TdReport;

/// Write down what is expected of a TD, and check against it
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a policy that expects the values of this TD
    New {
        /// Take the values of this TDREPORT or Quote instead
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,

        /// Expect nothing of this value
        #[arg(long, value_name = "NAME", default_values = ["rtmr3"])]
        without: Vec<String>,
    },
    /// Check this TD, or a TDREPORT or Quote, against a policy; signatures and TCB are `tdx verify`'s
    Check {
        /// The policy
        #[arg(value_name = "POLICY")]
        policy: PathBuf,

        /// Check this TDREPORT or Quote instead
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        match &self.action {
            Action::New { from, without } => {
                let without: Vec<_> = without.iter().map(String::as_str).collect();
                let mut policy = Policy::default();
                policy.td = TdPolicy::of(&values(from.as_deref())?, &without);
                output.print(&policy, || policy.to_toml())?;
                Ok(Exit::Success)
            }
            Action::Check { policy, from } => {
                let policy = read(policy)?;
                let claims = policy.claims(&values(from.as_deref())?);
                let holds = claims.iter().all(|claim| claim.outcome != Outcome::Fails);
                output.print(&json!({ "holds": holds, "claims": claims }), || {
                    claims::lines(&claims)
                })?;
                Ok(Exit::holds(holds))
            }
        }
    }
}

/// Reads a policy.
pub(crate) fn read(path: &Path) -> Result<Policy> {
    let text = String::from_utf8(input::read(path)?)
        .with_context(|| format!("{} is no text", path.display()))?;
    Policy::from_toml(&text).with_context(|| path.display().to_string())
}

fn values(from: Option<&Path>) -> Result<Measured> {
    match from {
        Some(path) => measured(&input::read(path)?).with_context(|| path.display().to_string()),
        None => {
            let report = Td::open()?.report(&ReportData([0; 64]), LIMIT)?;
            Ok(Measured::from(TdReport::parse(&report)?))
        }
    }
}
