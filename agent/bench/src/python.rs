// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What Python's packages do: cctrusted replays logs, and `dcap-qvl` has bindings.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context as _, Result};

use crate::count::Counted;
use crate::input::{Input, COLLATERAL, EVIDENCE, POLICY, ROOT};

/// From process start to a verdict, with the same checks as `tdx verify` makes: signatures, TCB, REPORTDATA, policy, log.
const VERDICT: &str = include_str!("verdict.py");

/// Only the replay, as often as it is told.
const REPLAY: &str = include_str!("replay.py");

/// A Python that has the packages.
#[derive(Debug)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// The one of that name, if it has the packages.
    pub(crate) fn find(program: &Path) -> Result<Option<Self>> {
        let has = Command::new(program)
            .args(["-c", "import cctrusted_base, dcap_qvl, tomllib"])
            .output();
        match has {
            Ok(output) if output.status.success() => {}
            _ => {
                println!(
                    "beside Python: skipped; no {} imports cctrusted_base, dcap_qvl and tomllib (Python 3.11 or newer)\n",
                    program.display()
                );
                return Ok(None);
            }
        }
        // Valgrind shall see the program, and no script that looks for it.
        let output = Command::new(program)
            .args(["-c", "import sys; print(sys.executable)"])
            .output()?;
        let path = String::from_utf8(output.stdout)?;
        Ok(Some(Self(path.trim_end().into())))
    }

    /// The instructions of replaying a log with cctrusted.
    pub(crate) fn replay(&self, log: &Path) -> Result<Counted> {
        let command = |times: u32| {
            let mut python = self.command(REPLAY);
            python.arg(log).arg(times.to_string());
            Ok(python)
        };
        let output = command(1)?.output()?;
        ensure!(
            output.status.success(),
            "cctrusted: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // The same result, or there is nothing to compare.
        let registers = crate::replay::read(&std::fs::read(log)?)?;
        let theirs = String::from_utf8(output.stdout)?;
        for (register, line) in registers.iter().zip(theirs.lines()) {
            ensure!(
                register.to_string() == line,
                "cctrusted has {line} where we have {register}"
            );
        }
        Counted::of_turn((1, 4), command).context("cctrusted's replay")
    }

    /// The program from start to verdict.
    pub(crate) fn verdict(&self, input: &Input) -> Command {
        let mut python = self.command(VERDICT);
        python.args([EVIDENCE, POLICY, ROOT, COLLATERAL].map(|name| input.path(name)));
        python
    }

    /// The interpreter that starts, and does nothing.
    pub(crate) fn nothing(&self) -> Command {
        self.command("pass")
    }

    fn command(&self, script: &str) -> Command {
        let mut python = Command::new(&self.0);
        // Compiled modules are kept, as they are for who uses them each day.
        python.args(["-c", script]);
        // The order of its sets would differ from run to run.
        python.env("PYTHONHASHSEED", "0");
        python
    }
}
