// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx measure`

mod boot;
mod files;
mod prediction;

use crate::exit::Exit;
use crate::output::{Output, BAD, DIM};
use crate::replay::measured;
use crate::{claims, input};
use anyhow::{Context as _, Result};
use clap::Args;
use prediction::{Event, Prediction};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use tdx_agent::{Claim, Outcome};

/// Say what a boot will measure, from the files that it is made of
///
/// Prints MRTD and RTMR0 to RTMR3 as they are when the operating system starts, of a TD with edk2's firmware under QEMU. A
/// register of which a part is not known is not predicted, and the reason said.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    files: files::Options,

    /// List the events that are expected, too
    #[arg(long, help_heading = None)]
    events: bool,

    /// Compare this event log (CCEL) with the events that are expected
    #[arg(long, value_name = "FILE", help_heading = None)]
    ccel: Option<PathBuf>,

    /// Compare this TDREPORT or Quote with the values that are expected
    #[arg(long, value_name = "FILE", help_heading = None)]
    against: Option<PathBuf>,

    /// Write a policy for `tdx verify` that expects all this to FILE
    #[arg(long, value_name = "FILE", help_heading = None)]
    policy: Option<PathBuf>,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let files = self.files.read()?;
        let log = self.ccel.as_deref().map(input::read).transpose()?;
        let (prediction, mut checked) =
            files.with(|boot| prediction::predict(boot, log.as_deref()))?;
        let policy = prediction.policy();
        if let Some(path) = &self.policy {
            output.write_file(path, policy.to_toml().as_bytes())?;
        }
        if let Some(path) = &self.against {
            let measured =
                measured(&input::read(path)?).with_context(|| path.display().to_string())?;
            checked.extend(policy.claims(&measured));
        }
        let holds = checked.iter().all(|claim| claim.outcome != Outcome::Fails);
        let mut json = json!(prediction);
        if self.ccel.is_some() || self.against.is_some() {
            json["claims"] = json!(checked);
            json["holds"] = json!(holds);
        }
        output.print(&json, || self.text(&prediction, &checked))?;
        Ok(Exit::holds(holds))
    }

    fn text(&self, prediction: &Prediction, checked: &[Claim]) -> String {
        let mut text = String::new();
        if self.events {
            text.extend(prediction.events.iter().map(line));
            text.push('\n');
        }
        for (name, value) in prediction.registers() {
            let _ = match value {
                Ok(digest) => writeln!(text, "{name}  {digest}"),
                Err(why) => writeln!(text, "{name}  {BAD}not predicted{BAD:#} without {why}"),
            };
        }
        if !checked.is_empty() {
            let _ = write!(text, "\n{}", claims::lines(checked));
        }
        text
    }
}

/// A line for an event.
fn line(event: &Event) -> String {
    let digest = event
        .digest
        .map_or_else(|| "not known".to_owned(), |digest| digest.to_string());
    format!(
        "RTMR{} {:<29} {:<40} {DIM}{digest}{DIM:#}\n",
        event.rtmr, event.event_type, event.what,
    )
}
