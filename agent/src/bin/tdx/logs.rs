// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which logs are meant, and which registers they are compared with.

use crate::input;
use anyhow::{ensure, Context as _, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tdx_agent::cel::{self, CcLogs};
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::runtime_log::{LogError, RuntimeLog};
use tdx_agent::{Error, Evidence, Measured, ReportData, Td};
use tdx_uapi::quote::Quote;
use tdx_uapi::TdReport;

/// Which logs are meant: by default those of this TD.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
#[group(skip)]
pub(crate) struct Options {
    /// A log instead of this TD's: a CCEL, a canonical event log (CEL-JSON) or evidence ("-" is standard input)
    #[arg(value_name = "LOG", conflicts_with_all = ["ccel", "evidence"])]
    log: Option<PathBuf>,

    /// The event log of the boot (CCEL or CEL-JSON), instead of this TD's
    #[arg(long, value_name = "FILE")]
    ccel: Option<PathBuf>,

    /// The log of what programs extended ["-" for none; default: this TD's, or none if --ccel is given]
    #[arg(long, value_name = "FILE")]
    runtime_log: Option<PathBuf>,

    /// The kernel's list of measured files, with SHA-384
    #[arg(long, value_name = "FILE")]
    ima: Option<PathBuf>,

    /// Take logs and Quote from evidence that `tdx evidence` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ccel", "runtime_log", "ima"])]
    evidence: Option<PathBuf>,
}

/// How long anything of this TD may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Logs, and what is known of the TD that they are of.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) boot: Option<Vec<u8>>,
    pub(crate) runtime: Option<Vec<u8>>,
    pub(crate) ima: Option<Vec<u8>>,
    pub(crate) measured: Option<Measured>,
    /// A runtime log that is not of this boot, and so is left out.
    pub(crate) earlier: Option<Earlier>,
}

/// The runtime log of an earlier boot.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) log: Vec<u8>,
    /// Why it is left out.
    pub(crate) why: String,
}

impl Found {
    /// What is in evidence.
    pub(crate) fn of_evidence(json: &[u8]) -> Result<Self> {
        let evidence = Evidence::from_json(json)?;
        let measured = Quote::parse(&evidence.quote)
            .ok()
            .map(|quote| Measured::from(&quote));
        Ok(Self {
            boot: evidence.cc_eventlog,
            runtime: evidence.runtime_log,
            ima: evidence.ima,
            measured,
            earlier: None,
        })
    }

    pub(crate) const fn has_logs(&self) -> bool {
        self.boot.is_some() || self.runtime.is_some() || self.ima.is_some()
    }

    pub(crate) fn replay(&self) -> Result<Replay> {
        let logs = Logs {
            boot: self.boot.as_deref(),
            runtime: self.runtime.as_deref(),
            ima: self.ima.as_deref(),
        };
        Ok(Replay::new(&logs)?)
    }
}

impl Options {
    /// Whether files of logs are named.
    pub(crate) const fn are_named(&self) -> bool {
        self.log.is_some()
            || self.ccel.is_some()
            || self.runtime_log.is_some()
            || self.ima.is_some()
            || self.evidence.is_some()
    }

    /// Finds the logs, and the registers of this TD if they are of it.
    pub(crate) fn find(&self) -> Result<Found> {
        if let Some(path) = &self.evidence {
            return of_evidence_file(path, &input::read(path)?);
        }
        let mut found = Found::default();
        if let Some(path) = self.log.as_deref().or(self.ccel.as_deref()) {
            let bytes = input::read(path)?;
            if self.log.is_some() && bytes.starts_with(b"{") {
                ensure!(
                    self.runtime_log.is_none() && self.ima.is_none(),
                    "{} is evidence, which has its own logs; --runtime-log and --ima do not go with it",
                    path.display()
                );
                return of_evidence_file(path, &bytes);
            }
            let logs = cc_logs(path, bytes)?;
            (found.boot, found.runtime) = (logs.boot, logs.runtime);
        } else {
            match Td::open() {
                // A log by itself can be looked at anywhere.
                Err(Error::NotATd { .. }) if self.runtime_log.is_some() => {}
                td => return self.of_this_td(&td?),
            }
        }
        if let Some(path) = &self.runtime_log {
            found.runtime = None;
            if path != Path::new("-") {
                let logs = cc_logs(path, input::read(path)?)?;
                found.runtime = logs.runtime.or(logs.boot);
            }
        }
        found.ima = self.ima.as_deref().map(input::read).transpose()?;
        Ok(found)
    }

    fn of_this_td(&self, td: &Td) -> Result<Found> {
        let boot = match td.event_log() {
            Ok(log) => Some(log.log),
            Err(Error::Unsupported { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let measured = || -> Result<Measured> {
            let report = td.report(&ReportData([0; 64]), LIMIT)?;
            Ok(Measured::from(TdReport::parse(&report)?))
        };
        let mut found = Found {
            boot,
            ima: match &self.ima {
                Some(path) => Some(input::read(path)?),
                None => ima(),
            },
            ..Found::default()
        };
        let Some(path) = runtime_log(self.runtime_log.as_deref())? else {
            found.measured = Some(measured()?);
            return Ok(found);
        };
        // Under the log's lock, so that nothing is extended in between.
        let read = RuntimeLog::new(path)?.read(td, LIMIT, |bytes| (bytes.to_vec(), measured()));
        match read {
            Ok((log, measured)) => {
                found.runtime = Some(log);
                found.measured = Some(measured?);
            }
            Err(error @ LogError::OtherBoot { .. }) => {
                found.earlier = Some(Earlier {
                    log: input::read(path)?,
                    why: error.to_string(),
                });
                found.measured = Some(measured()?);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(found)
    }
}

/// Where the runtime log of this TD is, if there is one or one is named; `-` names none.
pub(crate) fn runtime_log(named: Option<&Path>) -> Result<Option<&Path>> {
    let default = Path::new(RuntimeLog::DEFAULT_PATH);
    match named {
        Some(path) if path == Path::new("-") => Ok(None),
        Some(path) => {
            ensure!(path.exists(), "there is no runtime log {}", path.display());
            Ok(Some(path))
        }
        None => Ok(default.exists().then_some(default)),
    }
}

/// What is in this file of evidence.
fn of_evidence_file(path: &Path, json: &[u8]) -> Result<Found> {
    Found::of_evidence(json).with_context(|| path.display().to_string())
}

/// The logs in a file that is CEL-JSON, or the one that it is itself.
fn cc_logs(path: &Path, bytes: Vec<u8>) -> Result<CcLogs> {
    if cel::is_cel(&bytes) {
        return cel::parse(&bytes)
            .and_then(|records| cel::to_logs(&records))
            .with_context(|| path.display().to_string());
    }
    let mut logs = CcLogs::default();
    logs.boot = Some(bytes);
    Ok(logs)
}

/// The list of measured files of this TD, if its kernel has one with SHA-384.
pub(crate) fn ima() -> Option<Vec<u8>> {
    std::fs::read("/sys/kernel/security/ima/ascii_runtime_measurements_sha384").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_log_that_is_named_is_there() {
        let named = |path| runtime_log(Some(Path::new(path)));
        assert_eq!(named("-").expect("none"), None);
        assert_eq!(named("/").expect("a path"), Some(Path::new("/")));
        let error = named("/nonexistent/log").expect_err("a mistake");
        assert!(error.to_string().contains("/nonexistent/log"), "{error}");
    }
}
