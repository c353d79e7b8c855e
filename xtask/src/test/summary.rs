// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What came of the checks.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use super::Verdict;

/// The results so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    lines: Vec<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Summary {
    /// Makes a check, says how it ended, and remembers that.
    pub(super) fn time(&mut self, name: &str, check: impl FnOnce() -> Result<Verdict>) {
        let started = Instant::now();
        let result = check();
        let time = format!("{:6.1} s", started.elapsed().as_secs_f64());
        let (count, line) = match result {
            Ok(Verdict::Passed(seen)) => {
                (&mut self.passed, format!("passed   {time}  {name}: {seen}"))
            }
            Ok(Verdict::Skipped(why)) => {
                (&mut self.skipped, format!("SKIPPED  {time}  {name}: {why}"))
            }
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                // The first line says what failed; the rest of it has just been printed.
                let error = format!("{error:#}");
                (
                    &mut self.failed,
                    format!(
                        "FAILED   {time}  {name}: {}",
                        error.lines().next().unwrap_or_default()
                    ),
                )
            }
        };
        *count += 1;
        eprintln!("{line}");
        self.lines.push(line);
    }

    /// Prints all results and the line that counts them, and returns the status to exit with.
    pub(super) fn conclude(self) -> ExitCode {
        let Self {
            lines,
            passed,
            failed,
            skipped,
        } = self;
        println!();
        for line in lines {
            println!("{line}");
        }
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        if ci && skipped != 0 {
            println!("A check that was skipped counts as failed where CI is set.");
        }
        if failed != 0 || ci && skipped != 0 {
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}
