// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A function that runs in a child process, with a time limit.

use super::{Outcome, Skip};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::sys::signal::{killpg, Signal};
use nix::sys::wait::{waitpid, WaitPidFlag, WaitStatus};
use nix::unistd::{dup2_stderr, dup2_stdout, fork, setsid, ForkResult, Pid};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, io, process};

/// The exit status of a child that says why it has nothing to say, as Automake has it.
const SKIPPED: i32 = 77;

/// The exit status of a child that has said what went wrong.
const FAILED: i32 = 1;

/// How long a killed process may take to go.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `test` in a child process and returns what came of it, with what it printed if it failed.
///
/// The child leads a session, and what is left of it at the end is killed.
pub(super) fn run(limit: Duration, test: impl FnOnce() -> Result<()>) -> Result<Outcome> {
    let output = memfd_create("output", MFdFlags::MFD_CLOEXEC).context("memfd_create")?;
    // Or what is still in the buffer is printed twice.
    io::stdout().flush()?;
    // SAFETY: The process has one thread, so no lock is held by one that the child does not have.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Child => process::exit(be_child(&output, test)),
        ForkResult::Parent { child } => {
            let status = wait(child, limit);
            // ESRCH: there is nothing left.
            let _ = killpg(child, Signal::SIGKILL);
            let status = status?;
            let mut text = String::new();
            let mut output = File::from(output);
            output.rewind()?;
            output.read_to_string(&mut text)?;
            let text = text.trim_end().to_owned();
            Ok(match status {
                Ended::Alone(WaitStatus::Exited(_, 0)) => Outcome::Passed,
                Ended::Alone(WaitStatus::Exited(_, SKIPPED)) => Outcome::Skipped(text),
                Ended::Alone(WaitStatus::Signaled(_, signal, _)) => {
                    Outcome::Failed(format!("{text}\nThe test was killed by {signal}."))
                }
                Ended::Alone(WaitStatus::Exited(_, FAILED)) => Outcome::Failed(text),
                Ended::Alone(WaitStatus::Exited(_, status)) => {
                    Outcome::Failed(format!("{text}\nThe test ended with exit status {status}."))
                }
                Ended::Alone(other) => Outcome::Failed(format!("{text}\n{other:?}")),
                Ended::Late(state) => {
                    Outcome::Failed(format!("{text}\nNo end within {limit:?}.{state}"))
                }
            })
        }
    }
}

/// What the child does; returns its exit status.
fn be_child(output: &OwnedFd, test: impl FnOnce() -> Result<()>) -> i32 {
    let result = setsid()
        .and_then(|_| dup2_stdout(output))
        .and_then(|()| dup2_stderr(output))
        .context("cannot set the child up");
    // A panic is reported as any failure is, and must not go on in what is the parent's code.
    match result.and_then(|()| {
        catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|_| process::exit(FAILED))
    }) {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(reason) => {
                println!("{reason}");
                SKIPPED
            }
            None => {
                eprintln!("{error:?}");
                FAILED
            }
        },
    }
}

/// How a child came to its end.
enum Ended {
    Alone(WaitStatus),
    /// It was killed; what its threads were doing.
    Late(String),
}

fn wait(child: Pid, limit: Duration) -> Result<Ended> {
    if let Some(status) = wait_until(child, Instant::now() + limit)? {
        return Ok(Ended::Alone(status));
    }
    let mut state = threads(child);
    killpg(child, Signal::SIGKILL).context("cannot kill the test")?;
    if wait_until(child, Instant::now() + GRACE)?.is_none() {
        state.push_str("\nEven SIGKILL does not end it: it hangs in the kernel.");
        state.push_str(&threads(child));
    }
    Ok(Ended::Late(state))
}

fn wait_until(child: Pid, deadline: Instant) -> Result<Option<WaitStatus>> {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            status => return status.map(Some).context("waitpid"),
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(2));
    }
}

/// Where the threads of a process are in the kernel.
fn threads(process: Pid) -> String {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return String::new();
    };
    let mut text = String::new();
    for thread in threads.flatten() {
        text.push_str(&format!(
            "\nThread {} was at\n",
            thread.file_name().to_string_lossy()
        ));
        let stack = fs::read_to_string(thread.path().join("stack"));
        text.push_str(stack.as_deref().unwrap_or("(unknown)").trim_end());
    }
    text
}
