// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine's cargo builds from the workspace: the plugin for QEMU and the static programs for the guest.

use std::ffi::OsStr;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::disposal::discard;
use crate::paths::Paths;
use crate::progress::{Progress, Step};

/// The package of the plugin.
const PLUGIN: &str = "tdx-qemu-plugin";

/// Where a guest's programs run. Named, so that build scripts and macros are not built with their flags.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The profile of what is not said to be built otherwise.
const RELEASE: &str = "release";

/// Has cargo say what it makes.
const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// Builds the plugin that puts the TDX module under QEMU, and gives the path of its shared object.
pub(crate) fn plugin(paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let mut step = progress.step("QEMU plugin")?;
    let mut cargo = build(paths, "host", RELEASE);
    cargo.args(["--package", PLUGIN, "--lib"]);
    let messages = run(&mut cargo, &mut step)?;
    let library = messages.into_iter().find_map(|message| {
        let target = message.target?;
        let is_library = target.kind.iter().any(|kind| kind == "cdylib");
        let made_here = target.name.replace('-', "_") == PLUGIN.replace('-', "_");
        let shared = |file: &PathBuf| file.extension() == Some(OsStr::new("so"));
        message
            .filenames
            .into_iter()
            .find(shared)
            .filter(|_| is_library && made_here)
    });
    let library = library.ok_or_else(|| step.failure(&format!("{PLUGIN} has no cdylib")))?;
    step.done();
    Ok(library)
}

/// Builds the program `name` of `package` for the guest, which need not have any library, and gives its path.
pub(crate) fn static_program(
    paths: &Paths,
    package: &str,
    name: &str,
    progress: &Progress,
) -> Result<PathBuf> {
    static_program_as(RELEASE, paths, package, name, progress)
}

/// The same, as it is handed out: small.
pub(crate) fn handed_out(
    paths: &Paths,
    package: &str,
    name: &str,
    progress: &Progress,
) -> Result<PathBuf> {
    static_program_as("dist", paths, package, name, progress)
}

fn static_program_as(
    profile: &str,
    paths: &Paths,
    package: &str,
    name: &str,
    progress: &Progress,
) -> Result<PathBuf> {
    let mut step = progress.step(&format!("program {name}"))?;
    let mut cargo = build(paths, "guest", profile);
    cargo.args(["--package", package, "--bin", name, "--target", TARGET]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    let messages = run(&mut cargo, &mut step)?;
    let program = messages.into_iter().find_map(|message| {
        message
            .executable
            .filter(|_| message.target.is_some_and(|target| target.name == name))
    });
    let program = program.ok_or_else(|| step.failure(&format!("{package} has no {name}")))?;
    step.done();
    Ok(program)
}

/// What makes collateral, and what verifies Quotes with it.
#[derive(Debug)]
pub(crate) struct Quoting {
    /// The command `tdx-quoting`.
    pub(crate) command: PathBuf,
    /// The verifier, `dcap-qvl` with a command line.
    pub(crate) verify: PathBuf,
}

/// Builds the programs around Quotes that run on this machine.
pub(crate) fn quoting(paths: &Paths, progress: &Progress) -> Result<Quoting> {
    let mut step = progress.step("quoting service and verifier")?;
    let mut cargo = command(paths, "host");
    // As the tests of the workspace are built, so that whatever comes second finds the packages compiled.
    cargo.args(["build", "--locked", "--workspace", MESSAGES]);
    cargo.args(["--bin", "tdx-quoting", "--example", "verify"]);
    let messages = run(&mut cargo, &mut step)?;
    let find = |name: &str| {
        let mut programs = messages.iter().filter_map(|message| {
            let made = message.target.as_ref()?.name == name;
            message.executable.clone().filter(|_| made)
        });
        programs
            .next()
            .ok_or_else(|| step.failure(&format!("cargo made no {name}")))
    };
    let quoting = Quoting {
        command: find("tdx-quoting")?,
        verify: find("verify")?,
    };
    step.done();
    Ok(quoting)
}

/// Builds the newest version of a program of the registry, and gives its path. A second time it is there.
pub(crate) fn install(name: &str, paths: &Paths, progress: &Progress) -> Result<PathBuf> {
    let folder = paths.build(name);
    let program = folder.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    let mut step = progress.step(&format!("program {name}"))?;
    let target = format!("{name}-target");
    let mut cargo = command(paths, &target);
    // Built fast rather than well.
    cargo.args(["install", "--locked", "--debug", name, "--root"]);
    step.run(cargo.arg(&folder))?;
    discard(paths, &paths.build(&target))?;
    step.done();
    Ok(program)
}

/// `cargo run` or `cargo test` of a workspace of its own, in that folder of the project. Arguments are to be added.
pub(crate) fn apart(paths: &Paths, work: &str, folder: &str) -> Command {
    let mut cargo = command(paths, "host");
    let manifest = Path::new(folder).join("Cargo.toml");
    cargo.args([work, "--locked", "--release", "--manifest-path"]);
    cargo.arg(manifest);
    cargo
}

/// Runs the tests of the whole workspace, and hands each line that they print to `look`.
pub(crate) fn test(paths: &Paths, progress: &Progress, look: impl FnMut(&str)) -> Result<()> {
    let mut step = progress.step("cargo test")?;
    let mut command = command(paths, "host");
    command.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
    // A cargo that is quiet has the tests print dots.
    command.env("CARGO_TERM_QUIET", "false");
    step.run_and_look(&mut command, look)?;
    step.done();
    Ok(())
}

/// A message of `cargo build --message-format=json`, as far as it says which files were made.
#[derive(Debug, Deserialize)]
struct Message {
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// `cargo build`, with messages about what is made.
fn build(paths: &Paths, kind: &str, profile: &str) -> Command {
    let mut command = command(paths, kind);
    command.args(["build", "--locked", "--profile", profile, MESSAGES]);
    command
}

/// Cargo with a target folder of its own, so that it neither waits for a lock of, nor undoes the work of, a cargo with
/// other flags.
fn command(paths: &Paths, kind: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths.project());
    command.env("CARGO_TARGET_DIR", paths.build(kind));
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(cargo: &mut Command, step: &mut Step) -> Result<Vec<Message>> {
    step.read(cargo, |output| {
        output.lines().map(|line| parse(&line?)).collect()
    })
}

fn parse(line: &str) -> Result<Message> {
    serde_json::from_str(line).with_context(|| format!("cargo's message is not understood: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_cargos_messages() {
        let artefact = r#"{"reason":"compiler-artifact","package_id":"path+file:///p/tdx-module/qemu-plugin#tdx-qemu-plugin@0.1.0","manifest_path":"/p/tdx-module/qemu-plugin/Cargo.toml","target":{"kind":["cdylib"],"crate_types":["cdylib"],"name":"tdx_qemu_plugin","src_path":"/p/tdx-module/qemu-plugin/src/lib.rs","edition":"2021","doc":true,"doctest":false,"test":true},"profile":{"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false},"features":[],"filenames":["/p/target/release/libtdx_qemu_plugin.so"],"executable":null,"fresh":false}"#;
        let message = parse(artefact).unwrap();
        assert_eq!(message.target.unwrap().kind, ["cdylib"]);
        assert_eq!(
            message.filenames,
            [PathBuf::from("/p/target/release/libtdx_qemu_plugin.so")]
        );
        assert!(parse(r#"{"reason":"build-finished","success":true}"#)
            .unwrap()
            .target
            .is_none());
    }
}
