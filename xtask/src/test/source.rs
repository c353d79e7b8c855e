// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of the source: formatting, lints, documentation, unit tests.
//!
//! All but the unit tests use the Debian root's tool chain, which is the oldest that is supported, and which every machine
//! has at the same version.

use std::fs;

use anyhow::Result;

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
    let log = host_cargo::test(&context.environment.paths, &context.progress)?;
    let (passed, ignored) = count(&fs::read_to_string(log)?);
    match ignored.as_slice() {
        [] => Ok(Verdict::Passed(format!("{passed} tests"))),
        names => Ok(Verdict::Skipped(format!(
            "{passed} tests passed; not run: {}",
            names.join("; ")
        ))),
    }
}

/// How many tests the log of `cargo test` says have passed, and which were not run.
fn count(log: &str) -> (usize, Vec<String>) {
    let tests = log
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let (mut passed, mut ignored) = (0, Vec::new());
    for (name, result) in tests {
        if result == "ok" {
            passed += 1;
        } else if result.starts_with("ignored") {
            ignored.push(format!("{name} ({result})"));
        }
    }
    (passed, ignored)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn tests_that_were_not_run_are_named() {
        let log = "running 3 tests\ntest a::b ... ok\ntest c ... ignored, there is no folder x\n\
                   test d ... ok\n\ntest result: ok. 2 passed; 0 failed; 1 ignored\n";
        assert_eq!(
            count(log),
            (2, vec!["c (ignored, there is no folder x)".to_owned()])
        );
    }
}
