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
use tdx_agent::{Deadline, Error, Evidence, Step, Td};

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

    /// The log of what programs extended ["-" for none; default: this TD's]
    #[arg(long, value_name = "FILE")]
    runtime_log: Option<PathBuf>,

    /// How long the host may take for the Quote, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

/// How many Quotes are asked for until the logs do not change meanwhile.
const MAX_QUOTES: usize = 5;

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let td = Td::open()?;
        let reportdata = self.reportdata.get_or_zeros()?;
        let deadline = Deadline::from(Duration::from_secs(self.timeout));
        let quote = || Ok(td.quote(&reportdata, deadline)?);
        let read = || {
            let mut state = RuntimeState {
                ima: logs::ima(),
                ..RuntimeState::default()
            };
            if let Some(path) = logs::runtime_log(self.runtime_log.as_deref())? {
                match RuntimeLog::new(path)?.read(&td, LIMIT, <[u8]>::to_vec) {
                    Err(error @ LogError::OtherBoot { .. }) => {
                        state.note = Some(format!("{error}; it is left out"));
                    }
                    read => state.log = Some(read?),
                }
            }
            Ok(state)
        };
        let (quote, runtime) = of_one_moment(read, quote)?;
        if let Some(note) = &runtime.note {
            output.note(note);
        }
        let mut evidence = Evidence::new(quote);
        evidence.runtime_log = runtime.log;
        evidence.cc_eventlog = match td.event_log() {
            Ok(log) => Some(log.log),
            Err(Error::Unsupported { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        evidence.ima = runtime.ima;
        if self.out == Path::new("-") {
            output.print(&evidence, || evidence.to_json())?;
        } else {
            output.write_file(&self.out, evidence.to_json().as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

/// What is logged while the TD runs, at some moment, and what is to be said of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct RuntimeState {
    /// The runtime log.
    log: Option<Vec<u8>>,
    /// The kernel's list of measured files.
    ima: Option<Vec<u8>>,
    note: Option<String>,
}

/// Gets a Quote and logs of the same moment: those that are before the Quote as they are behind it. The runtime log's lock is
/// not held meanwhile, because the host may take longer for a Quote than programs wait to extend.
fn of_one_moment(
    mut read: impl FnMut() -> Result<RuntimeState>,
    mut quote: impl FnMut() -> Result<Vec<u8>>,
) -> Result<(Vec<u8>, RuntimeState)> {
    let mut before = read()?;
    for _ in 0..MAX_QUOTES {
        let quote = quote()?;
        let behind = read()?;
        if before == behind {
            return Ok((quote, behind));
        }
        before = behind;
    }
    Err(Error::Answer {
        step: Step::Quote,
        what: format!(
            "while each of {MAX_QUOTES} was made, programs or the kernel extended registers and their log changed"
        ),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A log that is extended while each of so many Quotes is made. Returns the Quote and the log, each as a number.
    fn collect(extensions: u8) -> Result<(u8, u8)> {
        let (log, quotes) = (Cell::new(0), Cell::new(0));
        let read = || {
            Ok(RuntimeState {
                log: Some(vec![log.get()]),
                ..RuntimeState::default()
            })
        };
        let quote = || {
            quotes.set(quotes.get() + 1);
            if quotes.get() <= extensions {
                log.set(log.get() + 1);
            }
            Ok(vec![quotes.get()])
        };
        let (quote, runtime) = of_one_moment(read, quote)?;
        Ok((quote[0], runtime.log.unwrap_or_default()[0]))
    }

    #[test]
    fn quote_and_log_are_of_one_moment() {
        assert_eq!(collect(0).expect("a Quote"), (1, 0));
        assert_eq!(collect(2).expect("a Quote"), (3, 2));
        let error = collect(u8::MAX).expect_err("no moment");
        assert_eq!(Exit::of(&error), Exit::NoAnswer);
        assert!(error.to_string().contains("their log changed"), "{error}");
    }
}
