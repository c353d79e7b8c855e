// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks that guests do what [`Guest`] promises, each with real boots.

mod failures;
mod interactive;
mod streams;
mod system;

use super::{Failure, Guest, Output, Stdin, What};
use anyhow::{ensure, Context, Result};
use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A statement about guests, and what shows it for the guest given.
pub(crate) type Check = (&'static str, fn(&Guest) -> Result<()>);

/// How long a check may take that does not say otherwise. Generous: the machine may be busy with other things.
const LIMIT: Duration = Duration::from_secs(300);

/// All of them.
pub(crate) fn all() -> Vec<Check> {
    [
        streams::CHECKS,
        system::CHECKS,
        failures::CHECKS,
        interactive::CHECKS,
    ]
    .concat()
}

/// Makes all of them, two at a time, prints a line for each, and returns how many there were.
///
/// # Errors
/// If one failed.
pub(crate) fn run(guest: &Guest) -> Result<usize> {
    let checks = all();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((name, check)) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let mut guest = guest.clone();
                    guest.name = format!("check-{name}");
                    let result = check(&guest);
                    let seconds = start.elapsed().as_secs_f32();
                    match result {
                        Ok(()) => eprintln!("ok      {seconds:5.1} s  {name}"),
                        Err(error) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            eprintln!("FAILED  {seconds:5.1} s  {name}: {error:#}");
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    ensure!(failed == 0, "{failed} of {} checks failed", checks.len());
    Ok(checks.len())
}

/// What `script` does in the guest.
fn shell(guest: &Guest, script: &str) -> Result<Output, Failure> {
    command(guest, &["sh", "-c", script])
}

/// What a command does in the guest.
fn command(guest: &Guest, command: &[&str]) -> Result<Output, Failure> {
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    guest.output(&command, Some(LIMIT), Stdin::Null)
}

/// The standard output of `script`, which has to succeed and to write nothing to its standard error.
fn text(guest: &Guest, script: &str) -> Result<String> {
    let output = shell(guest, script)?;
    ensure!(
        output.status == 0 && output.stderr.is_empty(),
        "status {}, standard error {:?}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("no text")
}

/// `cargo xtask vm` with that guest's kernel and no driver. What belongs behind it is to be added.
fn this_program(guest: &Guest) -> Result<Command> {
    let mut program = Command::new(std::env::current_exe()?);
    program.args(["--kernel", &guest.release, "vm", "--driver", "none"]);
    Ok(program)
}

/// What happened to a guest that was to fail.
fn fate<T: std::fmt::Debug>(result: Result<T, Failure>) -> Result<What> {
    match result {
        Err(Failure::Guest { what, mut console }) => {
            console.discard();
            Ok(what)
        }
        other => anyhow::bail!("the guest was to fail, but: {other:?}"),
    }
}
