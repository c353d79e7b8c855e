// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `cargo xtask` does when something is not as it should be: this very program, in namespaces where that is so.

use std::env;
use std::fs;
use std::process::{Command, Output};

use anyhow::{ensure, Context as _, Result};

use super::{Check, Context, Tier, Verdict};
use crate::vm::cli::STATUS_FAILED;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "offline",
        about: "once set up, `cargo xtask run` needs no network",
        tier: Tier::Landing,
        run: offline,
    },
    Check {
        name: "no-network",
        about: "a set-up without network says what it wanted and what can be done",
        tier: Tier::Landing,
        run: no_network,
    },
    Check {
        name: "no-space",
        about: "a set-up without space on disk says what it needs and what there is",
        tier: Tier::Landing,
        run: no_space,
    },
    Check {
        name: "no-qemu",
        about: "a QEMU that does not start is named, with what can be done",
        tier: Tier::Landing,
        run: no_qemu,
    },
    Check {
        name: "wrong-config",
        about:
            "a TD configuration with a mistake is refused, with the place and what is allowed there",
        tier: Tier::Landing,
        run: wrong_config,
    },
];

/// Runs this program with `arguments` after the set-up's own, in a mount namespace (and, if so, without any network) that
/// `prepare`, a shell command, changes before.
fn xtask(
    context: &Context<'_>,
    name: &str,
    network: bool,
    prepare: &str,
    arguments: &[&str],
) -> Result<(Output, String)> {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !network {
        command.arg("--net");
    }
    let script = format!("{prepare} && exec \"$@\"");
    command
        .args(["--", "sh", "-c", &script, "sh"])
        .arg(env::current_exe()?)
        .args(context.setup.arguments())
        .args(arguments);
    command.env_remove("CARGO_NET_OFFLINE");
    let mut step = context.progress.step(name)?;
    let output = command.output().context("starting unshare")?;
    step.record(&output.stdout);
    step.record(&output.stderr);
    step.done();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    Ok((output, String::from_utf8_lossy(&text).into_owned()))
}

/// An empty file system of so many bytes in the place of everything that is set up.
fn empty(context: &Context<'_>, size: &str) -> String {
    format!(
        "mount -t tmpfs -o size={size} tmpfs '{}'",
        context.environment.paths.work().display()
    )
}

/// Fails unless `text` has all of `phrases`.
fn says(text: &str, phrases: &[&str]) -> Result<Verdict> {
    for phrase in phrases {
        ensure!(
            text.contains(phrase),
            "it does not say {phrase:?}, but:\n{text}"
        );
    }
    let said = text
        .lines()
        .find(|line| line.contains(phrases[0]))
        .unwrap_or_default();
    Ok(Verdict::Passed(said.trim().to_owned()))
}

fn offline(context: &Context<'_>) -> Result<Verdict> {
    context.td()?;
    context.program()?;
    let (output, text) = xtask(context, "run without network", false, "true", &["run"])?;
    ensure!(
        output.status.success(),
        "it ended with {}:\n{text}",
        output.status
    );
    says(&text, &["hashes hold, MAC holds"])
}

fn no_network(context: &Context<'_>) -> Result<Verdict> {
    let (output, text) = xtask(
        context,
        "set-up without network",
        false,
        &empty(context, "8g"),
        &["setup"],
    )?;
    ensure!(!output.status.success(), "it succeeded:\n{text}");
    says(
        &text,
        &["no network", "Debian mirror failed", "run the same again"],
    )
}

fn no_space(context: &Context<'_>) -> Result<Verdict> {
    let (output, text) = xtask(
        context,
        "set-up without space",
        true,
        &empty(context, "64m"),
        &["setup"],
    )?;
    ensure!(!output.status.success(), "it succeeded:\n{text}");
    says(&text, &["no space", "needs about", "free"])
}

fn no_qemu(context: &Context<'_>) -> Result<Verdict> {
    let qemu = context.environment.root.join("usr/bin/qemu-system-x86_64");
    let prepare = format!("mount --bind /dev/null '{}'", qemu.display());
    let (output, text) = xtask(
        context,
        "vm without QEMU",
        true,
        &prepare,
        &["vm", "--", "true"],
    )?;
    ensure!(
        output.status.code() == Some(STATUS_FAILED.into()),
        "it ended with {}:\n{text}",
        output.status
    );
    says(&text, &["QEMU", "cargo xtask setup --refresh"])
}

fn wrong_config(context: &Context<'_>) -> Result<Verdict> {
    let file = context.environment.paths.build("wrong.toml");
    fs::create_dir_all(file.parent().context("the build folder")?)?;
    fs::write(
        &file,
        "[td]\nattributes = [\"SEPT_VE_DISABLE\", \"DEBUGG\"]\n",
    )?;
    let file = file.to_str().context("a path in UTF-8")?;
    let (output, text) = xtask(
        context,
        "vm with a wrong configuration",
        true,
        "true",
        &["vm", "--config", file, "--", "true"],
    )?;
    ensure!(
        output.status.code() == Some(STATUS_FAILED.into()),
        "it ended with {}:\n{text}",
        output.status
    );
    says(&text, &["DEBUGG", file, "line 2", "PERFMON"])
}
