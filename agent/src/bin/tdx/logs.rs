// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which logs are meant, and which registers they are compared with.

use crate::input;
use anyhow::{ensure, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::runtime_log::RuntimeLog;
use tdx_agent::{Error, Evidence, Measured, ReportData, Td};
use tdx_uapi::quote::Quote;
use tdx_uapi::TdReport;

/// Which logs are meant: by default those of this TD.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
#[group(skip)]
pub(crate) struct Options {
    /// The event log of the boot (CCEL), instead of this TD's
    #[arg(long, value_name = "FILE")]
    ccel: Option<PathBuf>,

    /// The log of what programs extended ["-" for none; default: this TD's, or none if --ccel is given]
    #[arg(long, value_name = "FILE")]
    runtime_log: Option<PathBuf>,

    /// Take logs and Quote from evidence that `tdx evidence` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ccel", "runtime_log"])]
    evidence: Option<PathBuf>,
}

/// How long anything of this TD may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Logs, and what is known of the TD that they are of.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) boot: Option<Vec<u8>>,
    pub(crate) runtime: Option<Vec<u8>>,
    pub(crate) measured: Option<Measured>,
}

impl Found {
    pub(crate) fn replay(&self) -> Result<Replay> {
        let logs = Logs {
            boot: self.boot.as_deref(),
            runtime: self.runtime.as_deref(),
        };
        Ok(Replay::new(&logs)?)
    }
}

impl Options {
    /// Whether nothing is said, so that those of this TD are meant.
    fn is_of_this_td(&self) -> bool {
        self.ccel.is_none() && self.evidence.is_none()
    }

    /// Finds the logs, and the registers of this TD if they are of it.
    pub(crate) fn find(&self) -> Result<Found> {
        if let Some(path) = &self.evidence {
            let evidence = Evidence::from_json(&input::read(path)?)?;
            let measured = Quote::parse(&evidence.quote)
                .ok()
                .map(|quote| Measured::from(&quote));
            return Ok(Found {
                boot: evidence.cc_eventlog,
                runtime: evidence.runtime_log,
                measured,
            });
        }
        if self.is_of_this_td() {
            return self.of_this_td();
        }
        Ok(Found {
            boot: self.ccel.as_deref().map(input::read).transpose()?,
            runtime: self.runtime_file()?.map(input::read).transpose()?,
            measured: None,
        })
    }

    fn runtime_file(&self) -> Result<Option<&Path>> {
        Ok(self
            .runtime_log
            .as_deref()
            .filter(|path| *path != Path::new("-")))
    }

    fn of_this_td(&self) -> Result<Found> {
        let td = Td::open()?;
        let boot = match td.event_log() {
            Ok(log) => Some(log.log),
            Err(Error::Unsupported { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let measured = |td: &Td| -> Result<Measured> {
            let report = td.report(&ReportData([0; 64]), LIMIT)?;
            Ok(Measured::from(TdReport::parse(&report)?))
        };
        let path = match &self.runtime_log {
            Some(path) => path.as_path(),
            None => Path::new(RuntimeLog::DEFAULT_PATH),
        };
        if path == Path::new("-") || (self.runtime_log.is_none() && !path.exists()) {
            return Ok(Found {
                boot,
                runtime: None,
                measured: Some(measured(&td)?),
            });
        }
        // Under the log's lock, so that nothing is extended in between.
        let (runtime, measured) =
            RuntimeLog::new(path)?.read(&td, LIMIT, |bytes| (bytes.to_vec(), measured(&td)))?;
        ensure!(!runtime.is_empty(), "{} is empty", path.display());
        Ok(Found {
            boot,
            runtime: Some(runtime),
            measured: Some(measured?),
        })
    }
}
