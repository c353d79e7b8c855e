// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table in `fuzz/README.md`: what each target was given so far, and what its corpus reaches.
//!
//! A row is `| target | seconds of processor time | runs | lines reached in percent |`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::session::Outcome;
use crate::paths::Paths;

/// The page, from the project's folder.
const PAGE: &str = "fuzz/README.md";

/// The page.
#[derive(Debug)]
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

/// What a row says of its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    /// How long it ran without a finding.
    pub(crate) seconds: u64,
    /// How many inputs it was given in that time.
    pub(crate) runs: u64,
    /// How many of the parser's lines the corpus reaches at least.
    pub(crate) percent: f64,
}

impl Page {
    /// Reads the page.
    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        let path = paths.project().join(PAGE);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
        Ok(Self { path, text })
    }

    /// The row of a target.
    pub(crate) fn row(&self, target: &str) -> Result<Row> {
        let line = self.line(target)?;
        parse(line).with_context(|| format!("this row of {PAGE} is not understood: {line}"))
    }

    /// Adds a session to the row of its target.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<()> {
        let target = &outcome.target;
        let Row {
            seconds,
            runs,
            percent,
        } = self.row(target)?;
        let seconds = seconds + outcome.seconds as u64;
        let runs = runs + outcome.runs;
        let row = format!("| `{target}` | {seconds} | {runs} | {percent:.1} |");
        self.text = self.text.replace(self.line(target)?, &row);
        Ok(())
    }

    /// Writes the page.
    pub(crate) fn write(&self) -> Result<()> {
        fs::write(&self.path, &self.text).with_context(|| format!("writing {PAGE}"))
    }

    fn line(&self, target: &str) -> Result<&str> {
        let start = format!("| `{target}` |");
        let mut lines = self.text.lines();
        lines
            .find(|line| line.starts_with(&start))
            .with_context(|| format!("{PAGE} has no row for {target}"))
    }
}

fn parse(line: &str) -> Option<Row> {
    let mut cells = line.split('|').skip(2).map(str::trim);
    Some(Row {
        seconds: cells.next()?.parse().ok()?,
        runs: cells.next()?.parse().ok()?,
        percent: cells.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_added_to_its_row() {
        let mut page = Page {
            path: PathBuf::new(),
            text: "# x\n\n| `a` | 10 | 2000 | 97.5 |\n| `ab` | 1 | 1 | 100.0 |\n".into(),
        };
        let outcome = Outcome {
            target: "a".into(),
            seconds: 5.9,
            runs: 3,
            findings: Vec::new(),
            log: PathBuf::new(),
        };
        page.add(&outcome).unwrap();
        assert!(page
            .text
            .contains("\n| `a` | 15 | 2003 | 97.5 |\n| `ab` | 1 | 1 | 100.0 |\n"));
        assert_eq!(page.row("ab").unwrap().seconds, 1);
        assert!(page.row("b").is_err());
    }
}
