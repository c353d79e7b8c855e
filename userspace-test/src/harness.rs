// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tests that run in a process of their own, so that a crash or a hang of one is a result like any other.

mod child;
mod results;
pub(crate) mod self_test;

use crate::emulation::Emulation;
use crate::kernel_log::KernelLog;
use crate::options::{Driver, Options};
use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use results::Results;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A statement about the behaviour of a driver.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    path: &'static str,
    run: fn(&Options) -> Result<()>,
    drivers: &'static [Driver],
    /// What the driver in C is known to fail it with.
    c_failure: Option<&'static str>,
    timeouts: u32,
    kernel_warns: bool,
    debug_kernel: bool,
}

/// Names the test after its function; see [`Test::new`].
macro_rules! test {
    ($run:ident) => {
        $crate::harness::Test::new(concat!(module_path!(), "::", stringify!($run)), $run)
    };
}
pub(crate) use test;

impl Test {
    /// A test that holds for both drivers. `path` is that of the function in the crate.
    pub(crate) const fn new(path: &'static str, run: fn(&Options) -> Result<()>) -> Self {
        Self {
            path,
            run,
            drivers: &[Driver::Rust, Driver::C],
            c_failure: None,
            timeouts: 1,
            kernel_warns: false,
            debug_kernel: false,
        }
    }

    /// The same for those drivers only.
    pub(crate) const fn only(self, drivers: &'static [Driver]) -> Self {
        Self { drivers, ..self }
    }

    /// The same, but the driver in C is known to fail it, with `words` in the message: there it passes if it does.
    ///
    /// So what is said of that driver is tested, too, and nobody goes on to say it once it is no longer true.
    pub(crate) const fn c_fails(self, words: &'static str) -> Self {
        Self {
            c_failure: Some(words),
            ..self
        }
    }

    /// The same, but it provokes the kernel itself to complain, whatever the driver does.
    pub(crate) const fn kernel_warns(self) -> Self {
        Self {
            kernel_warns: true,
            ..self
        }
    }

    /// The same, for a kernel that was built to find mistakes.
    pub(crate) const fn only_on_debug_kernel(self) -> Self {
        Self {
            debug_kernel: true,
            ..self
        }
    }

    /// The same with `timeouts` times the usual time.
    pub(crate) const fn slow(self, timeouts: u32) -> Self {
        Self { timeouts, ..self }
    }

    /// Whether the test says something about what the options name.
    pub(crate) fn is_about(&self, options: &Options) -> bool {
        self.drivers.contains(&options.driver) && (options.debug_kernel || !self.debug_kernel)
    }

    /// What the driver in C is known to fail it with; see [`Test::c_fails`].
    #[cfg(test)]
    pub(crate) const fn c_failure(&self) -> Option<&'static str> {
        self.c_failure
    }

    /// What it is called on the command line: `group::statement`.
    pub(crate) fn name(&self) -> &'static str {
        match self.path.split_once("::tests::") {
            Some((_, name)) => name,
            None => self.path,
        }
    }
}

/// An error that says why a test has nothing to say here.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Whether a test fails when the kernel complains while it runs.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// It does.
    Watched,
    /// The kernel is not what is tested.
    Ignored,
}

/// What came of a test.
pub(crate) enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

/// Runs the tests that are about the chosen driver and that `arguments` select.
///
/// The exit status is 0 if none failed.
pub(crate) fn run(
    tests: &[Test],
    mut arguments: Arguments,
    options: Options,
    kernel: Kernel,
) -> Result<ExitCode> {
    // One after the other: they share a driver, and a process that is to fork must have one thread.
    arguments.test_threads = Some(1);
    let results = Arc::new(Mutex::new(Results::create(options.json.as_deref())?));
    let options = Arc::new(options);
    let trials = tests
        .iter()
        .filter(|test| test.is_about(&options))
        .map(|&test| {
            let (options, results) = (Arc::clone(&options), Arc::clone(&results));
            Trial::ignorable_test(test.name(), move || {
                let begin = Instant::now();
                let outcome = run_one(&test, &options, kernel).unwrap_or_else(|error| {
                    Outcome::Failed(format!("the test could not be run: {error:#}"))
                });
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.add(test.name(), &outcome, begin.elapsed())?;
                match outcome {
                    Outcome::Passed => Ok(Completion::Completed),
                    Outcome::Skipped(reason) => Ok(Completion::ignored_with(reason)),
                    Outcome::Failed(message) => Err(Failed::from(message)),
                }
            })
        })
        .collect();
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !listing {
        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
        println!("{}", results.finish()?);
    }
    Ok(conclusion.exit_code())
}

/// Runs a test in a child process and takes what the kernel has to say meanwhile into account.
fn run_one(test: &Test, options: &Options, kernel: Kernel) -> Result<Outcome> {
    let known = test.c_failure.filter(|_| options.driver == Driver::C);
    let provoked = test.kernel_warns || known.is_some();
    let mut log = match kernel {
        Kernel::Watched => Some(KernelLog::open()?),
        Kernel::Ignored => None,
    };
    if let Some(log) = &mut log {
        log.say(test.name())?;
        log.provoked(provoked)?;
    }
    // A test before this one may have been killed while the emulation did its bidding.
    drop(Emulation::find());
    let outcome = child::run(options.timeout() * test.timeouts, || (test.run)(options))?;
    let complaints = match &mut log {
        Some(log) => {
            log.provoked(false)?;
            log.complaints()?
        }
        None => Vec::new(),
    };
    if let Some(words) = known {
        return Ok(match outcome {
            Outcome::Failed(message) if message.contains(words) => Outcome::Passed,
            Outcome::Failed(message) => Outcome::Failed(format!(
                "This driver is known to fail here with {words:?}, and fails with this:\n{message}"
            )),
            Outcome::Passed => Outcome::Failed(format!(
                "This driver is known to fail here with {words:?}, and does not."
            )),
            Outcome::Skipped(reason) => Outcome::Skipped(reason),
        });
    }
    if complaints.is_empty() {
        return Ok(outcome);
    }
    let before = match outcome {
        Outcome::Failed(message) => message,
        Outcome::Passed | Outcome::Skipped(_) => String::new(),
    };
    Ok(Outcome::Failed(format!(
        "{before}\nThe kernel complained:\n{}",
        complaints.join("\n")
    )))
}
