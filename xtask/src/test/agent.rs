// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command `tdx`, used as its page of documentation does.

mod example;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context as _, Result};
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::artefacts::host_cargo;
use crate::td;
use crate::vm::cli::BootChoice;
use crate::vm::Guest;
use example::{Example, Place};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "agent",
        about: "every example in docs/tdx.md, inside of a TD that was booted through TDVF and outside of it, says what the page says",
        tier: Tier::Landing,
        run: agent,
    },
    Check {
        name: "interop",
        about: "what tdx writes for other programs is read by their libraries: CoRIM by corim-rs",
        tier: Tier::Landing,
        run: interop,
    },
];

/// Tests with the libraries of others, in a workspace of their own.
const INTEROP: &str = "agent/interop";

/// The page. With `TDX_UPDATE_DOCS` in the environment, what the commands say now is written into it.
const PAGE: &str = "docs/tdx.md";
const UPDATE: &str = "TDX_UPDATE_DOCS";

/// What separates the examples in what the guest says. No command says that.
const MARK: &str = "@@@@";

/// What the examples outside of the TD need of those inside.
const FILES: [&str; 4] = ["evidence.json", "quote.bin", "policy.toml", "machine.tar"];

fn agent(context: &Context<'_>) -> Result<Verdict> {
    let paths = &context.environment.paths;
    let page = paths.project().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("reading {PAGE}"))?;
    let examples = example::read(&text);
    let inside: Vec<_> = examples
        .iter()
        .filter(|one| one.place == Place::Td)
        .collect();
    ensure!(
        inside.len() > 5,
        "{PAGE} has {} examples in a TD",
        inside.len()
    );

    let tdx = context.tdx()?;
    let mut guest = context.guest("tdx in a TD", Which::Rust)?;
    guest.files.push(tdx.into());
    td::boot(
        &mut guest,
        context.environment,
        BootChoice::Tdvf,
        &context.progress,
    )?;
    let command = ["sh", "-c", &script(&inside)];
    let output = context.succeed(&guest, &command)?;
    let output = String::from_utf8(output).context("what the commands said")?;
    let mark = format!("{MARK}\n");
    let mut parts = output.split(&mark).skip(1);

    let folder = tempfile::tempdir()?;
    let mut said = Vec::new();
    for _ in &inside {
        said.push(parts.next().context("a command was not run")?.to_owned());
    }
    for (file, contents) in FILES.iter().zip(parts) {
        let contents: String = contents.split_ascii_whitespace().collect();
        let contents = STANDARD
            .decode(contents)
            .with_context(|| format!("the TD's {file}"))?;
        fs::write(folder.path().join(file), contents)?;
    }
    host_files(&guest, &command, folder.path())?;
    let quoting = context.verifier()?.command();
    let programs = [tdx, quoting].map(|program| program.parent().map(Path::to_owned));
    let mut said = said.into_iter();
    let (mut new_text, mut rest) = (String::new(), text.as_str());
    let mut wrong = Vec::new();
    for example in &examples {
        let now = match example.place {
            Place::Td => said.next().context("a command was not run")?,
            Place::Outside => outside(folder.path(), &programs, &example.command)?,
        };
        let now = example::shorten(&now);
        let (old, new) = (example.block(&example.says), example.block(&now));
        let (before, after) = rest.split_once(&old).context("an example is on its page")?;
        new_text.push_str(before);
        rest = after;
        if example::normalise(&now) == example::normalise(&example.says) {
            new_text.push_str(&old);
        } else {
            new_text.push_str(&new);
            wrong.push(format!(
                "$ {}\nsays\n{now}and the page has\n{}",
                example.command, example.says
            ));
        }
    }
    new_text.push_str(rest);
    if wrong.is_empty() {
        return Ok(Verdict::Passed(format!("{} examples", examples.len())));
    }
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&page, new_text)?;
        return Ok(Verdict::Skipped(format!(
            "{} examples of {PAGE} were written anew",
            wrong.len()
        )));
    }
    bail!(
        "{PAGE} is not what happens (with {UPDATE}=1 it is written anew):\n{}",
        wrong.join("\n")
    )
}

fn interop(context: &Context<'_>) -> Result<Verdict> {
    let paths = &context.environment.paths;
    let tdx = context.tdx()?;
    let mut step = context.progress.step("libraries of others")?;
    step.run(host_cargo::apart(paths, "test", INTEROP).env("TDX", tdx))?;
    step.done();
    Ok(Verdict::Passed("a CoRIM, by corim-rs".into()))
}

/// Puts into a folder what the host boots a guest with, to run a command.
fn host_files(guest: &Guest, command: &[&str], folder: &Path) -> Result<()> {
    let command: Vec<_> = command.iter().map(Into::into).collect();
    let (line, initrd) = guest.handed_over(&command)?;
    let firmware = guest.start.firmware().context("there is no firmware")?;
    for (from, name) in [(firmware, "OVMF.fd"), (&guest.vmlinuz, "vmlinuz")] {
        fs::copy(from, folder.join(name)).with_context(|| format!("copying {}", from.display()))?;
    }
    fs::write(folder.join("initrd"), initrd)?;
    fs::write(folder.join("cmdline"), line)?;
    Ok(())
}

/// Runs the examples in a shell, and gives out the files.
fn script(examples: &[&Example]) -> String {
    let mut script = String::from("PATH=$PWD:$PATH\nexport TERM=dumb\n");
    for example in examples {
        script.push_str(&format!("echo {MARK}\n{{\n{}\n}} 2>&1\n", example.command));
    }
    for file in FILES {
        script.push_str(&format!("echo {MARK}\nbase64 {file}\n"));
    }
    script
}

/// Runs an example on this machine.
fn outside(
    folder: &Path,
    programs: &[Option<std::path::PathBuf>],
    command: &str,
) -> Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = programs.iter().flatten().cloned();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path)))?;
    let output = Command::new("sh")
        .args(["-c", &format!("{{\n{command}\n}} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env("XDG_CACHE_HOME", folder)
        .output()
        .with_context(|| format!("running {command}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
