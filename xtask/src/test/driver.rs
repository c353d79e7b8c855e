// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tests that run inside TDs, against this driver and against the kernel's own.

use anyhow::{bail, ensure, Context as _, Result};
use serde::Deserialize;

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::artefacts::module;
use crate::run::PROGRAM;
use crate::setup::{self, Flavour};
use crate::vm::{checks, Guest};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "driver",
        about: "the driver does what its documentation says, in a TD of 4 vCPUs",
        tier: Tier::Landing,
        run: |context| with_driver(context, Which::Rust, 4, &[]),
    },
    Check {
        name: "driver-1-vcpu",
        about: "the same in a TD of 1 vCPU",
        tier: Tier::Landing,
        // One vCPU has nothing side by side.
        run: |context| with_driver(context, Which::Rust, 1, &["--skip", "side_by_side"]),
    },
    Check {
        name: "driver-c",
        about: "the kernel's own driver passes the tests that are about both, so the tests ask for nothing peculiar",
        tier: Tier::Landing,
        run: |context| with_driver(context, Which::C, 4, &[]),
    },
    Check {
        name: "not-a-td",
        about: "the driver does not load in a virtual machine that is no TD",
        tier: Tier::Landing,
        run: not_a_td,
    },
    Check {
        name: "vm",
        about: "`cargo xtask vm` does what its help says",
        tier: Tier::All,
        run: vm,
    },
    Check {
        name: "driver-loads",
        about: "the driver can be loaded and unloaded a thousand times",
        tier: Tier::All,
        run: |context| with_driver(context, Which::Rust, 2, &["--loads", "1000", "--timeout", "300", "lifetime"]),
    },
    Check {
        name: "kernel-generic",
        about: "the driver builds for, and passes on, the kernel's generic flavour",
        tier: Tier::All,
        run: generic_flavour,
    },
];

/// A line of the results that the tests write.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Test {
        test: String,
        outcome: String,
        message: Option<String>,
    },
    End {
        passed: u32,
        failed: u32,
        skipped: u32,
    },
}

fn with_driver(
    context: &Context<'_>,
    which: Which,
    vcpus: u32,
    arguments: &[&str],
) -> Result<Verdict> {
    let (name, driver) = match which {
        Which::Rust => (format!("driver, {vcpus} vCPUs"), "rust"),
        Which::C => (format!("C driver, {vcpus} vCPUs"), "c"),
    };
    let mut guest = context.guest(&name, which)?;
    guest.smp = vcpus;
    if which == Which::Rust {
        return run(context, guest, driver, arguments);
    }
    // This project's driver is at hand for the tests of what becomes of the second one.
    guest.files.push(context.td()?.module()?.into());
    run(
        context,
        guest,
        driver,
        &[&["--rival", module::FILE], arguments].concat(),
    )
}

fn vm(context: &Context<'_>) -> Result<Verdict> {
    let guest = context.td()?.guest(context.environment, "vm");
    Ok(Verdict::Passed(format!("{} checks", checks::run(&guest)?)))
}

fn not_a_td(context: &Context<'_>) -> Result<Verdict> {
    run(context, context.ordinary_guest("not a TD")?, "none", &[])
}

fn generic_flavour(context: &Context<'_>) -> Result<Verdict> {
    let setup = setup::Options {
        flavour: Some(Flavour::Generic),
        ..context.setup.clone()
    };
    let environment = setup::environment(&setup)?;
    let context = Context::new(&environment, &setup);
    with_driver(&context, Which::Rust, 4, &[])
}

/// Boots the guest and runs the tests for that driver in it. They look at the kernel's log themselves: some of them make
/// it complain.
pub(super) fn run(
    context: &Context<'_>,
    mut guest: Guest,
    driver: &str,
    arguments: &[&str],
) -> Result<Verdict> {
    guest.files.push(context.program()?.into());
    let program = format!("./{PROGRAM}");
    let mut command = vec![
        program.as_str(),
        "test",
        "--driver",
        driver,
        "--json",
        "/dev/stderr",
    ];
    command.extend(arguments);
    let output = context.output(&guest, &command)?;
    judge(&output.stdout, &output.stderr)
        .with_context(|| format!("the tests ended with {}", output.status))
}

/// What the results say. `text` is what a person is shown of them.
fn judge(text: &[u8], results: &[u8]) -> Result<Verdict> {
    let text = String::from_utf8_lossy(text);
    let results = String::from_utf8_lossy(results);
    let (mut not_run, mut end) = (Vec::new(), None);
    for line in results.lines() {
        match serde_json::from_str(line)
            .with_context(|| format!("what the tests wrote: {results}\n{text}"))?
        {
            Line::Test {
                test,
                outcome,
                message,
            } if outcome == "skipped" => {
                not_run.push(format!("{test} ({})", message.unwrap_or_default()));
            }
            Line::Test { .. } => {}
            Line::End {
                passed,
                failed,
                skipped,
            } => end = Some((passed, failed, skipped)),
        }
    }
    let Some((passed, failed, skipped)) = end else {
        bail!("the tests did not run to their end:\n{text}")
    };
    ensure!(
        failed == 0,
        "{failed} of {} tests failed:\n{text}",
        passed + failed
    );
    ensure!(passed != 0, "no test was run");
    ensure!(
        skipped as usize == not_run.len(),
        "{skipped} tests are said to be skipped, not {}",
        not_run.len()
    );
    Ok(match not_run.as_slice() {
        [] => Verdict::Passed(format!("{passed} tests")),
        names => Verdict::Skipped(format!(
            "{passed} tests passed; not run: {}",
            names.join("; ")
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = r#"{"test":"a","outcome":"passed","seconds":0.1}"#;
    const SKIPPED: &str =
        r#"{"test":"b","outcome":"skipped","message":"no such thing","seconds":0.1}"#;

    fn judged(results: &[&str]) -> Result<Verdict> {
        judge(b"", results.join("\n").as_bytes())
    }

    #[test]
    fn a_run_without_its_end_has_failed() {
        assert!(judged(&[PASSED]).is_err());
        assert!(judged(&[]).is_err());
        assert!(judged(&[PASSED, r#"{"passed":1,"failed":1,"skipped":0}"#]).is_err());
        assert!(judged(&[r#"{"passed":0,"failed":0,"skipped":0}"#]).is_err());
    }

    #[test]
    fn what_was_skipped_is_named() {
        let verdict = judged(&[PASSED, SKIPPED, r#"{"passed":1,"failed":0,"skipped":1}"#]);
        assert!(matches!(verdict, Ok(Verdict::Skipped(why)) if why.contains("b (no such thing)")));
        let verdict = judged(&[PASSED, r#"{"passed":1,"failed":0,"skipped":0}"#]);
        assert!(matches!(verdict, Ok(Verdict::Passed(seen)) if seen == "1 tests"));
    }
}
