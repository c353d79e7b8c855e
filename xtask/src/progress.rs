// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells what goes on during long work: one [`Step`] after another, each with a log file of its own.
//!
//! On a terminal, a line with the elapsed time and the last line of the log; elsewhere, and where `CI` is set, plain lines
//! at a step's start and end.

mod failure;
mod share;
mod step;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use failure::is_no_space;
pub(crate) use step::Step;

use crate::paths::Paths;

/// The steps of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    logs: PathBuf,
    total: usize,
    begun: Cell<usize>,
    plain: bool,
}

impl Progress {
    /// Work that will take `total` steps.
    pub(crate) fn new(paths: &Paths, total: usize) -> Self {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        let plain = ci || !std::io::stderr().is_terminal();
        Self {
            logs: paths.logs(),
            total,
            begun: Cell::new(0),
            plain,
        }
    }

    /// Begins the next step. Its log replaces the one that a step of the same name left earlier.
    pub(crate) fn step(&self, name: &str) -> Result<Step> {
        self.begun.set(self.begun.get() + 1);
        let log_path = self.logs.join(format!("{}.log", slug(name)));
        let log = fs::create_dir_all(&self.logs)
            .and_then(|()| File::create(&log_path))
            .with_context(|| format!("making the log {}", log_path.display()))?;
        let label = if self.total > 1 {
            format!("[{}/{}] {name}", self.begun.get(), self.total)
        } else {
            name.into()
        };
        let bar = if self.plain {
            eprintln!("{label} …");
            ProgressBar::hidden()
        } else {
            let bar = ProgressBar::new_spinner().with_prefix(label.clone());
            let style =
                ProgressStyle::with_template("{spinner} {prefix:.bold} {elapsed} {wide_msg:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        };
        Ok(Step {
            label,
            log,
            log_path,
            bar,
            started: Instant::now(),
            share: None,
        })
    }
}

/// A step's name as a file name.
fn slug(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || ".+-_".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_named_after_its_step() {
        assert_eq!(
            slug("kernel 7.2.12+deb13-cloud-amd64: source"),
            "kernel-7.2.12+deb13-cloud-amd64--source"
        );
    }
}
