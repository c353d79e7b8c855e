// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Results for a machine to read: JSON, one object to a line, each written as soon as it is known.
//!
//! ```json
//! {"test":"report::both_hashes_hold","outcome":"passed","seconds":0.012}
//! {"test":"lifetime::loads_by_its_modalias","outcome":"skipped","message":"there is no modprobe","seconds":0.003}
//! {"passed":1,"failed":0,"skipped":1}
//! ```
//!
//! A file without the last line is that of a run that did not end.

use super::Outcome;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

#[derive(Serialize)]
struct Line<'a> {
    test: &'a str,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    seconds: f64,
}

/// How many tests ended how.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Summary {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The results of a run.
pub(super) struct Results {
    file: Option<File>,
    summary: Summary,
}

impl Results {
    /// No results yet, to be written to `path` if there is one.
    pub(super) fn create(path: Option<&Path>) -> Result<Self> {
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot create {}", path.display()))
        };
        Ok(Self {
            file: path.map(create).transpose()?,
            summary: Summary::default(),
        })
    }

    /// Adds what came of a test.
    pub(super) fn add(&mut self, test: &str, outcome: &Outcome, time: Duration) -> Result<()> {
        let (outcome, message, count) = match outcome {
            Outcome::Passed => ("passed", None, &mut self.summary.passed),
            Outcome::Failed(message) => {
                ("failed", Some(message.as_str()), &mut self.summary.failed)
            }
            Outcome::Skipped(reason) => {
                ("skipped", Some(reason.as_str()), &mut self.summary.skipped)
            }
        };
        *count += 1;
        self.write(&Line {
            test,
            outcome,
            message,
            seconds: time.as_secs_f64(),
        })
    }

    /// Writes the last line.
    pub(super) fn finish(&mut self) -> Result<Summary> {
        self.write(&self.summary.clone())?;
        Ok(self.summary)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        file.write_all(text.as_bytes())
            .context("cannot write the results")
    }
}
