// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx eventlog`

use crate::exit::Exit;
use crate::logs;
use crate::output::{Output, BAD, DIM};
use anyhow::{ensure, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fmt::Write as _;
use tdx_agent::cel;
use tdx_agent::replay::Event;

/// List what was measured, event by event
///
/// Of what an event says, only that is proved whose register agrees: `tdx replay` tells.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    logs: logs::Options,

    /// Only events of these registers, by number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..4))]
    rtmr: Vec<u8>,

    /// Only events of types whose name contains this
    #[arg(long = "type", value_name = "TEXT")]
    event_type: Option<String>,

    /// Only events whose description contains this
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,

    /// Show digests and the registers' values, too
    #[arg(long, short)]
    verbose: bool,

    /// In which form
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each event
    Text,
    /// TCG's canonical event log as JSON
    CelJson,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let mut found = self.logs.find()?;
        if let Some(earlier) = found.earlier.take() {
            output.note(&earlier.why);
            found.runtime = Some(earlier.log);
        }
        if found.boot.is_none() && found.runtime.is_none() {
            ensure!(
                self.format == Form::Text,
                "there is no log: the firmware left none, and no program has extended a register"
            );
        }
        if self.format == Form::CelJson {
            ensure!(
                self.rtmr.is_empty() && self.event_type.is_none() && self.contains.is_none(),
                "--format cel-json writes whole logs: --rtmr, --type and --contains are for text"
            );
            if found.ima.is_some() {
                output.note("the kernel's list of measured files (IMA) is left out");
            }
            let logs = [found.boot.as_deref(), found.runtime.as_deref()];
            let records = cel::records(logs.into_iter().flatten())?;
            return output
                .print(&records, || {
                    serde_json::to_string_pretty(&records).unwrap_or_default()
                })
                .map(|()| Exit::Success);
        }
        let replay = found.replay()?;
        let events: Vec<_> = replay
            .events
            .iter()
            .filter(|event| self.wants(event))
            .collect();
        let json = json!({ "events": events, "broken": replay.broken });
        output.print(&json, || {
            let mut text: String = events.iter().map(|event| self.line(event)).collect();
            if events.is_empty() {
                text.push_str("no events\n");
            }
            if let Some(why) = &replay.broken {
                let _ = writeln!(text, "{BAD}{why}{BAD:#}");
            }
            text
        })?;
        Ok(Exit::holds(replay.broken.is_none()))
    }

    fn wants(&self, event: &Event) -> bool {
        let contains = |text: &str, part: &Option<String>| {
            part.as_ref()
                .is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let register = |number: &u8| event.register == format!("RTMR{number}");
        (self.rtmr.is_empty() || self.rtmr.iter().any(register))
            && contains(&event.event_type, &self.event_type)
            && contains(&event.description, &self.contains)
    }

    fn line(&self, event: &Event) -> String {
        let Event {
            number,
            register,
            event_type,
            description,
            ..
        } = event;
        let kind = event_type.strip_prefix("EV_").unwrap_or(event_type);
        let mut text = format!("{number:>4} {register:<5} {kind:<29} {description}\n");
        if event.data_holds == Some(false) {
            let _ = writeln!(
                text,
                "{:11}{BAD}the digest is of something else than this says{BAD:#}",
                ""
            );
        }
        if self.verbose {
            if let Some(digest) = &event.digest {
                let _ = writeln!(text, "{:11}{DIM}digest{DIM:#}  {digest}", "");
            }
            if let Some(value) = &event.value {
                let _ = writeln!(text, "{:11}{DIM}{register}{DIM:#}   {value}", "");
            }
        }
        text
    }
}
