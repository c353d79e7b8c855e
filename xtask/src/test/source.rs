// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of the source: formatting, lints, documentation, unit tests.
//!
//! All but the unit tests use the Debian root's tool chain, which is the oldest that is supported, and which every machine
//! has at the same version.

use std::fs;

use anyhow::{ensure, Result};

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::module::{self, Rigour};
use crate::artefacts::{host_cargo, root_cargo};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "format",
        about: "the source is formatted",
        tier: Tier::Landing,
        run: |context| cargo(context, root_cargo::Check::Format),
    },
    Check {
        name: "clippy",
        about: "clippy finds nothing, on the oldest Rust that is supported",
        tier: Tier::Landing,
        run: |context| cargo(context, root_cargo::Check::Clippy),
    },
    Check {
        name: "docs",
        about: "the documentation builds without warnings",
        tier: Tier::Landing,
        run: |context| cargo(context, root_cargo::Check::Docs),
    },
    Check {
        name: "unit-tests",
        about: "the tests of all crates pass on this machine",
        tier: Tier::Landing,
        run: unit_tests,
    },
    Check {
        name: "module",
        about: "the driver builds for the kernel without a warning",
        tier: Tier::Landing,
        run: |context| kbuild(context, Rigour::DenyWarnings),
    },
    Check {
        name: "module-clippy",
        about: "the kernel's own lints find nothing in the driver",
        tier: Tier::Landing,
        run: |context| kbuild(context, Rigour::Clippy),
    },
];

fn cargo(context: &Context<'_>, check: root_cargo::Check) -> Result<Verdict> {
    root_cargo::check(context.environment, check, &context.progress)?;
    Ok(Verdict::Passed(String::new()))
}

fn kbuild(context: &Context<'_>, rigour: Rigour) -> Result<Verdict> {
    let module = module::build(context.environment, rigour, &context.progress)?;
    Ok(Verdict::Passed(format!(
        "{} bytes for {}",
        fs::metadata(module)?.len(),
        context.environment.kernel.release
    )))
}

fn unit_tests(context: &Context<'_>) -> Result<Verdict> {
    let mut tests = Tests::default();
    host_cargo::test(&context.environment.paths, &context.progress, |line| {
        tests.count(line);
    })?;
    tests.verdict()
}

/// What `cargo test` says of its tests.
#[derive(Debug, Default)]
struct Tests {
    /// How many passed.
    passed: usize,
    /// Which were not run, and why.
    ignored: Vec<String>,
}

impl Tests {
    /// Counts a line of its output.
    fn count(&mut self, line: &str) {
        let test = line.strip_prefix("test ");
        match test.and_then(|test| test.split_once(" ... ")) {
            Some((_, "ok")) => self.passed += 1,
            Some((name, why)) if why.starts_with("ignored") => {
                self.ignored.push(format!("{name} ({why})"));
            }
            _ => {}
        }
    }

    fn verdict(self) -> Result<Verdict> {
        let Self { passed, ignored } = self;
        ensure!(passed > 0, "cargo test says of no test that it passed");
        if ignored.is_empty() {
            return Ok(Verdict::Passed(format!("{passed} tests")));
        }
        Ok(Verdict::Skipped(format!(
            "{passed} tests passed; not run: {}",
            ignored.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::{Tests, Verdict};

    fn verdict(output: &str) -> anyhow::Result<Verdict> {
        let mut tests = Tests::default();
        output.lines().for_each(|line| tests.count(line));
        tests.verdict()
    }

    #[test]
    fn tests_that_were_not_run_are_named() {
        let output =
            "running 3 tests\ntest a::b ... ok\ntest c ... ignored, there is no folder x\n\
                      test d ... ok\n\ntest result: ok. 2 passed; 0 failed; 1 ignored\n";
        let Ok(Verdict::Skipped(why)) = verdict(output) else {
            panic!("it is not skipped");
        };
        let expected = "2 tests passed; not run: c (ignored, there is no folder x)";
        assert_eq!(why, expected);
    }

    #[test]
    fn no_test_at_all_is_a_failure() {
        let output = "running 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert!(verdict(output).is_err());
        assert!(verdict("").is_err());
    }
}
