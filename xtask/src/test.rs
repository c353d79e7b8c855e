// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask test`: everything that is checked, one [`Check`] after another, and what came of it.
//!
//! Two tiers: the landing tier is what a change must pass, at most half an hour from nothing on two cores; `--all` adds
//! what takes longer.

mod agent;
mod boot;
mod clients;
mod context;
mod debug_kernel;
mod differential;
mod driver;
mod evidence;
mod firmware;
mod fuzz;
mod obstacles;
mod power_cut;
mod quotes;
mod selftest;
mod source;
mod summary;
mod targets;
mod verifier;

use std::process::ExitCode;

use anyhow::{bail, Result};
use clap::Args;

use crate::setup;
use context::Context;
use summary::Summary;

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Check what takes long, too: other kernels, a thousand loads of the module
    #[arg(long)]
    all: bool,

    /// Check the driver on a kernel with KASAN, lockdep and kmemleak, and nothing else. The first time that kernel is built,
    /// which takes about a quarter of an hour on two cores
    #[arg(long, conflicts_with = "all")]
    debug_kernel: bool,

    /// List what would be checked, and do nothing
    #[arg(long)]
    list: bool,

    /// Make only those checks whose names contain one of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// When a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// Always.
    Landing,
    /// With `--all` only.
    All,
    /// With `--all`, and with `--debug-kernel` alone.
    DebugKernel,
}

/// One thing to check.
struct Check {
    /// What it is called.
    name: &'static str,
    /// What holds when it passes.
    about: &'static str,
    /// When it is made.
    tier: Tier,
    /// Makes it. An error is a failure of the check.
    run: fn(&Context<'_>) -> Result<Verdict>,
}

/// How a check that did not fail ended.
enum Verdict {
    /// It passed; this was seen.
    Passed(String),
    /// Some or all of it could not be made, for this reason.
    Skipped(String),
}

/// All checks, in the order in which they are made: what fails soonest comes first.
fn checks() -> impl Iterator<Item = &'static Check> {
    [
        source::CHECKS,
        firmware::CHECKS,
        driver::CHECKS,
        selftest::CHECKS,
        quotes::CHECKS,
        agent::CHECKS,
        evidence::CHECKS,
        power_cut::CHECKS,
        clients::CHECKS,
        boot::CHECKS,
        obstacles::CHECKS,
        targets::CHECKS,
        differential::CHECKS,
        fuzz::CHECKS,
        debug_kernel::CHECKS,
    ]
    .into_iter()
    .flatten()
}

impl Options {
    /// Whether a check is made where none is named.
    fn has(&self, check: &Check) -> bool {
        let tier = if self.debug_kernel {
            Tier::DebugKernel
        } else {
            Tier::Landing
        };
        self.all || check.tier == tier
    }

    /// The checks to make.
    ///
    /// # Errors
    /// When a name is that of none.
    fn chosen(&self) -> Result<Vec<&'static Check>> {
        let named = |check: &Check, name: &String| check.name.contains(name.as_str());
        for name in &self.names {
            let of_name: Vec<_> = checks().filter(|check| named(check, name)).collect();
            let Some(first) = of_name.first() else {
                bail!(
                    "no check is called {name}; `cargo xtask test --all --list` lists all of them"
                );
            };
            if !of_name.iter().any(|check| self.has(check)) {
                bail!(
                    "no check called {name} is among those chosen; `cargo xtask test --all {name}` makes {}",
                    first.name
                );
            }
        }
        let mut chosen: Vec<_> = checks().filter(|check| self.has(check)).collect();
        chosen.retain(|check| {
            self.names.is_empty() || self.names.iter().any(|name| named(check, name))
        });
        Ok(chosen)
    }
}

/// Makes the checks, prints a summary, and returns the status to exit with: failure if a check failed or, where `CI` is
/// set, was skipped.
///
/// # Errors
/// When a name is that of no check, or nothing could be checked.
pub(crate) fn test(options: &Options, setup: &setup::Options) -> Result<ExitCode> {
    let chosen = options.chosen()?;
    if options.list {
        for Check {
            name, about, tier, ..
        } in chosen
        {
            let tier = match tier {
                Tier::Landing => "",
                Tier::All => " (--all)",
                Tier::DebugKernel => " (--all, --debug-kernel)",
            };
            println!("{name:<22} {about}{tier}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let environment = setup::environment(setup)?;
    let context = Context::new(&environment, setup);
    let mut summary = Summary::default();
    for (number, check) in chosen.iter().enumerate() {
        eprintln!(
            "== {}/{} {}: {}",
            number + 1,
            chosen.len(),
            check.name,
            check.about
        );
        summary.time(check.name, || (check.run)(&context));
    }
    Ok(summary.conclude())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the checks that are made, or the error.
    fn chosen(all: bool, names: &[&str]) -> Result<Vec<&'static str>, String> {
        let options = Options {
            all,
            debug_kernel: false,
            list: false,
            names: names.iter().map(|&name| name.into()).collect(),
        };
        let chosen = options.chosen().map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|check| check.name).collect())
    }

    #[test]
    fn each_name_is_that_of_a_check() {
        let two = ["format", "clippy", "module-clippy"];
        assert_eq!(chosen(false, &["format", "clippy"]).unwrap(), two);
        let error = chosen(false, &["format", "clipy"]).unwrap_err();
        assert!(error.contains("no check is called clipy"), "{error}");
        let error = chosen(false, &["format", "targets-agent"]).unwrap_err();
        assert!(error.contains("--all targets-agent"), "{error}");
        assert_eq!(chosen(true, &["targets-agent"]).unwrap(), ["targets-agent"]);
        assert!(chosen(false, &[]).unwrap().contains(&"unit-tests"));
    }
}
