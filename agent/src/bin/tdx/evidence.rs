// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx evidence`

use crate::exit::Exit;
use crate::logs::{self, LIMIT};
use crate::output::Output;
use crate::reportdata;
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tdx_agent::runtime_log::{LogError, RuntimeLog};
use tdx_agent::{Error, Evidence, Td};

/// Collect what a verifier wants to see: Quote and logs, in one file
///
/// The form is that of Confidential Containers' attesters. `tdx verify` checks it, on any machine.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    reportdata: reportdata::Options,

    /// Write it to FILE [default: standard output]
    #[arg(
        long,
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    out: PathBuf,

    /// The log of what programs extended
    #[arg(long, value_name = "FILE", default_value = RuntimeLog::DEFAULT_PATH)]
    runtime_log: PathBuf,

    /// How long the host may take for the Quote, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let td = Td::open()?;
        let reportdata = self.reportdata.get_or_zeros()?;
        let quote = || td.quote(&reportdata, Duration::from_secs(self.timeout));
        let (quote, runtime_log) = if self.runtime_log.exists() {
            // Under the log's lock, so that Quote and log are of the same moment.
            let log = RuntimeLog::new(&self.runtime_log)?;
            match log.read(&td, LIMIT, |bytes| {
                quote().map(|quote| (quote, Some(bytes.to_vec())))
            }) {
                Err(error @ LogError::OtherBoot { .. }) => {
                    output.note(&format!("{error}; it is left out"));
                    (quote()?, None)
                }
                read => read??,
            }
        } else {
            (quote()?, None)
        };
        let mut evidence = Evidence::new(quote);
        evidence.runtime_log = runtime_log;
        evidence.cc_eventlog = match td.event_log() {
            Ok(log) => Some(log.log),
            Err(Error::Unsupported { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        evidence.ima = logs::ima();
        let json = evidence.to_json();
        if self.out == Path::new("-") {
            println!("{json}");
        } else {
            output.write_file(&self.out, json.as_bytes())?;
        }
        Ok(Exit::Success)
    }
}
