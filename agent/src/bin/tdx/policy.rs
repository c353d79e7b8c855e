// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx policy`

use crate::exit::Exit;
use crate::logs::{self, LIMIT};
use crate::output::Output;
use crate::replay::measured;
use crate::{claims, input};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use tdx_agent::{Measured, Outcome, Policy, ReportData, Td, TdPolicy};
use tdx_firmware::{HashEngine as _, Sha2};
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

        /// Expect the events of the logs, too, so that the one that differs can be named
        #[arg(long)]
        events: bool,

        #[command(flatten)]
        logs: logs::Options,
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
    /// Write a policy as reference values (CoRIM, not signed) for other verifiers
    ///
    /// What it says of TCB statuses, advisories and single events is left out.
    Export {
        /// The policy
        #[arg(value_name = "POLICY")]
        policy: PathBuf,

        /// Write the CoRIM to FILE ("-" is standard output)
        #[arg(long, value_name = "FILE")]
        corim: PathBuf,

        /// What identifies it [default: a name with the policy's hash]
        #[arg(long, value_name = "TEXT")]
        id: Option<String>,
    },
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        match &self.action {
            Action::New {
                from,
                without,
                events,
                logs,
            } => {
                let without: Vec<_> = without.iter().map(String::as_str).collect();
                let mut policy = Policy::default();
                let found = match from {
                    Some(_) if !events => logs::Found::default(),
                    _ => logs.find()?,
                };
                let measured = match (from, &found.measured) {
                    (None, Some(measured)) => measured.clone(),
                    _ => values(from.as_deref())?,
                };
                policy.td = TdPolicy::of(&measured, &without);
                if *events {
                    policy.td.expect_events(&found.replay()?);
                }
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
            Action::Export { policy, corim, id } => {
                let policy = read(policy)?;
                let id = match id {
                    Some(id) => id.clone(),
                    None => {
                        let hash = Sha2.digest(&[policy.to_toml().as_bytes()]).to_string();
                        format!("tdx-policy-{}", &hash[..32])
                    }
                };
                output.write_file(corim, &tdx_agent::corim::from_policy(&policy, &id)?)?;
                Ok(Exit::Success)
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
