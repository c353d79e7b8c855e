// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Instructions instead of time, counted by valgrind: the same in every run, whatever else the machine does.

use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::log::{Side, PAIRS};

/// Counts, or says that valgrind is missing.
pub(crate) fn compare(log: &Path) -> Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("counted instructions: skipped; there is no valgrind");
        return Ok(());
    }
    for (what, side, bare) in PAIRS {
        let ratio = once(log, side)? as f64 / once(log, bare)? as f64;
        println!("{what}: {ratio:.3} of the instructions of bare hashing");
    }
    Ok(())
}

/// The instructions of doing it 50 times, without those of starting the program.
fn once(log: &Path, side: Side) -> Result<u64> {
    Ok(instructions(log, side, 60)? - instructions(log, side, 10)?)
}

fn instructions(log: &Path, side: Side, times: u32) -> Result<u64> {
    let name = clap::ValueEnum::to_possible_value(&side).context("every side has a name")?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe()?).arg("--log").arg(log);
    valgrind.args(["--side", name.get_name(), "--times", &times.to_string()]);
    let output = valgrind.output().context("starting valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {text}");
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, count) = count.with_context(|| format!("valgrind counted nothing: {text}"))?;
    Ok(count.trim().parse()?)
}
