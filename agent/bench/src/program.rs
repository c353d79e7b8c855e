// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whole programs: from process start to a verdict over Quote, log and policy.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use nix::sys::resource::{getrusage, UsageWho};
use nix::sys::time::TimeVal;

use crate::count::Counted;
use crate::input::{Input, COLLATERAL, EVIDENCE, POLICY, ROOT};
use crate::python::Python;
use crate::row;

/// Compares the programs, and prints how large `tdx` is.
pub(crate) fn compare(
    tdx: &Path,
    python: Option<&Python>,
    input: &Input,
    rounds: u32,
) -> Result<()> {
    let mut ours = Command::new(tdx);
    ours.args(["verify", "--nonce", "text:nonce"]);
    ours.arg("--policy").arg(input.path(POLICY));
    ours.arg("--root").arg(input.path(ROOT));
    ours.arg("--collateral").arg(input.path(COLLATERAL));
    ours.arg(input.path(EVIDENCE));
    succeed(&mut ours, "The Quote is to be believed.")?;
    if let Some(python) = python {
        let mut theirs = python.verdict(input);
        succeed(&mut theirs, "believed")?;
        row(
            "process start to verdict, beside Python's packages",
            Counted::of_program(&ours)?,
            Counted::of_program(&theirs)?,
        );
        let mut nothing = python.nothing();
        let times = least(rounds, &mut [&mut ours, &mut theirs, &mut nothing])?;
        let ratio = |time: Duration| time.as_secs_f64() / times[0].as_secs_f64();
        println!("\ntime of the CPU, beside that of tdx verify, least of {rounds} turns each");
        println!(
            "  Python's packages, process start to verdict        {:>10.1}",
            ratio(times[1])
        );
        println!(
            "  Python's interpreter, which does nothing           {:>10.1}",
            ratio(times[2])
        );
    }
    let size = std::fs::metadata(tdx)?.len();
    println!("\nsize of tdx: {:.2} MB", size as f64 / 1e6);
    Ok(())
}

/// Runs it once, to see that it says what it must.
fn succeed(command: &mut Command, expected: &str) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said.contains(expected),
        "{command:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Runs each once per round, by turns, and gives the least time that the CPU spent on each, in user and system mode.
fn least(rounds: u32, commands: &mut [&mut Command]) -> Result<Vec<Duration>> {
    let mut least = vec![Duration::MAX; commands.len()];
    for _ in 0..rounds {
        for (command, least) in commands.iter_mut().zip(&mut least) {
            let before = children()?;
            let status = command.stdout(Stdio::null()).status()?;
            ensure!(status.success(), "{command:?} ended with {status}");
            *least = (children()? - before).min(*least);
        }
    }
    Ok(least)
}

/// The time of the CPU that all processes of this one have had.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let duration =
        |time: TimeVal| Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec() as u32 * 1000);
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}
