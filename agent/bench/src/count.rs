// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Instructions, counted by valgrind.

use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context as _, Result};

use crate::Side;

/// How many instructions something takes.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Counted(pub(crate) f64);

impl Counted {
    /// Those of a whole program, from its start to its end. It must succeed.
    pub(crate) fn of_program(command: &Command) -> Result<Self> {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => valgrind.env(name, value),
                None => valgrind.env_remove(name),
            };
        }
        let output = valgrind
            .output()
            .context("starting valgrind, which counts the instructions; install it")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?} failed: {text}");
        let count = text
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, count) = count.with_context(|| format!("valgrind counted nothing: {text}"))?;
        Ok(Self(count.trim().parse()?))
    }

    /// Those of one turn of what is done in turns, without those of starting the program: `command` makes the program
    /// for a number of turns.
    pub(crate) fn of_turn(
        (few, many): (u32, u32),
        command: impl Fn(u32) -> Result<Command>,
    ) -> Result<Self> {
        let few_counted = Self::of_program(&command(few)?)?;
        let many_counted = Self::of_program(&command(many)?)?;
        Ok(Self(
            (many_counted.0 - few_counted.0) / f64::from(many - few),
        ))
    }

    /// Those of one turn of a side of this program.
    pub(crate) fn of_side(side: Side, file: &Path) -> Result<Self> {
        let name = clap::ValueEnum::to_possible_value(&side).context("every side has a name")?;
        Self::of_turn((10, 60), |times| {
            let mut this = Command::new(std::env::current_exe()?);
            this.args(["--side", name.get_name(), "--times", &times.to_string()]);
            this.arg("--file").arg(file);
            Ok(this)
        })
    }
}
