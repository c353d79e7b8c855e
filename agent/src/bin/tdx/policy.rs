// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx policy`

use crate::exit::Exit;
use crate::logs;
use crate::output::Output;
use crate::replay::measured;
use crate::{claims, input};
use anyhow::{ensure, Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use tdx_agent::{Measured, Outcome, Policy, TdPolicy};
use tdx_firmware::{HashEngine as _, Sha2};

/// Write down what is expected of a TD, and check against it
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a policy that expects the values of this TD, and the events that led to them
    New {
        /// Take the values of this TDREPORT or Quote, or those and the events of this evidence, instead
        #[arg(long, value_name = "FILE", conflicts_with = "evidence")]
        from: Option<PathBuf>,

        /// Expect nothing of this value, nor of its events
        #[arg(long, value_name = "NAME", default_values = ["rtmr3"])]
        without: Vec<String>,

        /// Expect values only; which event differs cannot be told then
        #[arg(long)]
        no_events: bool,

        #[command(flatten)]
        logs: logs::Options,
    },
    /// Check this TD, or a TDREPORT, Quote or evidence, against a policy; signatures and TCB are `tdx verify`'s
    ///
    /// Events in the policy are checked, too, where there are logs. Where there are none, they fail if the policy has no value of their register.
    Check {
        /// The policy
        #[arg(value_name = "POLICY")]
        policy: PathBuf,

        /// Check this TDREPORT, Quote or evidence instead
        #[arg(long, value_name = "FILE", conflicts_with = "evidence")]
        from: Option<PathBuf>,

        #[command(flatten)]
        logs: logs::Options,
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
                no_events,
                logs,
            } => {
                let without: Vec<_> = without.iter().map(String::as_str).collect();
                let mut unknown = Policy::default().td;
                for name in &without {
                    let known = unknown.list_mut(name).is_some();
                    ensure!(known, "--without {name}: there is no value of that name");
                }
                let (measured, found) = find(output, from.as_deref(), logs)?;
                let mut policy = Policy::default();
                policy.td = TdPolicy::of(&measured, &without);
                if !no_events {
                    policy.td.expect_events(&found.replay()?, &without);
                }
                output.print(&policy, || policy.to_toml())?;
                Ok(Exit::Success)
            }
            Action::Check { policy, from, logs } => {
                let policy = read(policy)?;
                let (measured, found) = find(output, from.as_deref(), logs)?;
                let mut claims = policy.claims(&measured);
                if !policy.td.events.is_empty() {
                    let replay = found.has_logs().then(|| found.replay()).transpose()?;
                    if let Some(replay) = &replay {
                        claims.extend(replay.claims(&measured.rtmr));
                    }
                    claims.extend(policy.event_claims(replay.as_ref(), &measured));
                }
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

/// The values of this TD or of a file, and the logs that go with them.
fn find(
    output: &Output,
    from: Option<&Path>,
    logs: &logs::Options,
) -> Result<(Measured, logs::Found)> {
    let Some(path) = from else {
        let found = logs.find()?;
        if let Some(earlier) = &found.earlier {
            output.note(&format!("{}; it is left out", earlier.why));
        }
        let measured = found.measured.clone();
        let measured = measured.context(
            "logs alone say nothing of a TD's values; name a TDREPORT or Quote, too, with --from",
        )?;
        return Ok((measured, found));
    };
    let bytes = input::read(path)?;
    let measured = measured(&bytes).with_context(|| path.display().to_string())?;
    let found = match (bytes.first(), logs.are_named()) {
        (Some(b'{'), false) => logs::Found::of_evidence(&bytes)?,
        (_, true) => logs.find()?,
        (_, false) => logs::Found::default(),
    };
    Ok((measured, found))
}

/// Reads a policy.
pub(crate) fn read(path: &Path) -> Result<Policy> {
    let text = String::from_utf8(input::read(path)?)
        .with_context(|| format!("{} is no text", path.display()))?;
    Policy::from_toml(&text).with_context(|| path.display().to_string())
}
