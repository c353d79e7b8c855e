// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs the Debian root's cargo on the workspace: its rustc is the oldest that is supported, and it has clippy and rustfmt,
//! which this machine may lack.
//!
//! Packages come from this machine's cargo cache, which both use; the root's cargo never goes to the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::PROJECT;
use crate::progress::Progress;
use crate::setup::Environment;

/// The project's own manifest, from the project's folder.
pub(crate) const MANIFEST: &str = "Cargo.toml";

/// The driver's root file, which is in no package, and its edition, which is Kbuild's.
const DRIVER: &str = "kmod/tdx_guest.rs";
const DRIVER_EDITION: &str = "2021";

/// What the root's cargo builds, by kind.
pub(super) const TARGET: &str = "root-cargo";

/// Something that is checked in the whole workspace, formatting also in the driver and in workspaces of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// `cargo fmt --check` and `rustfmt --check`
    Format,
    /// `cargo clippy --all-targets` without warnings
    Clippy,
    /// `cargo doc` without warnings
    Docs,
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Format => "formatting",
            Self::Clippy => "clippy",
            Self::Docs => "documentation",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Format => &["fmt", "--all", "--check"],
            Self::Clippy => &[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
            Self::Docs => &["doc", "--locked", "--workspace", "--no-deps"],
        }
    }
}

/// Runs one check.
///
/// # Errors
/// What the check found, at the end of its log.
pub(crate) fn check(environment: &Environment, check: Check, progress: &Progress) -> Result<()> {
    let mut step = progress.step(check.name())?;
    if check == Check::Format {
        for manifest in workspaces(environment.paths.project())? {
            let mut command = cargo(environment)?;
            command.args(check.arguments()).arg("--manifest-path");
            step.run(command.arg(manifest))?;
        }
        let driver = environment
            .enclosure()
            .bind_read_only(environment.paths.project(), PROJECT)
            .directory(PROJECT);
        let mut rustfmt = driver.command("rustfmt");
        step.run(rustfmt.args(["--check", "--edition", DRIVER_EDITION, DRIVER]))?;
    } else {
        step.run(&mut fetch(environment, MANIFEST))?;
        let mut command = cargo(environment)?;
        if check == Check::Docs {
            command.env("RUSTDOCFLAGS", "-Dwarnings");
        }
        step.run(command.args(check.arguments()))?;
    }
    step.done();
    Ok(())
}

/// The manifests of the project's workspace and of those of their own, from the project's folder.
fn workspaces(project: &Path) -> Result<Vec<PathBuf>> {
    let mut workspaces = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let what = || {
            format!(
                "looking for workspaces in {}",
                project.join(&folder).display()
            )
        };
        let manifest = folder.join(MANIFEST);
        if project.join(&manifest).is_file() {
            let text = fs::read_to_string(project.join(&manifest)).with_context(what)?;
            let table: toml::Table = text.parse().with_context(what)?;
            if table.contains_key("workspace") {
                workspaces.push(manifest);
            }
        }
        for entry in fs::read_dir(project.join(&folder)).with_context(what)? {
            let entry = entry?;
            let name = entry.file_name();
            // What is built, and what is not the project's.
            let skipped = name == "target" || name.as_encoded_bytes().starts_with(b".");
            if entry.file_type()?.is_dir() && !skipped {
                folders.push(folder.join(name));
            }
        }
    }
    Ok(workspaces)
}

/// Brings the packages of Cargo.lock into the cache, with this machine's cargo and its settings. Once they are there, this
/// needs no network.
pub(crate) fn fetch(environment: &Environment, manifest: &str) -> Command {
    fetch_for(
        environment,
        Path::new(manifest),
        &["x86_64-unknown-linux-gnu"],
    )
}

/// As [`fetch`], with the packages that programs for these targets need.
pub(crate) fn fetch_for(environment: &Environment, manifest: &Path, targets: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(environment.paths.project());
    command
        .args(["fetch", "--locked", "--manifest-path"])
        .arg(manifest);
    for target in targets {
        command.args(["--target", target]);
    }
    command
}

/// Builds the programs of others that use the driver, and gives the folder that they are in.
pub(crate) fn clients(environment: &Environment, progress: &Progress) -> Result<PathBuf> {
    const MANIFEST: &str = "userspace-test/clients/Cargo.toml";
    const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";
    let mut step = progress.step("programs of others")?;
    step.run(&mut fetch(environment, MANIFEST))?;
    let mut cargo = cargo(environment)?;
    cargo.args(["build", "--locked", "--manifest-path", MANIFEST]);
    // Instead of pkg-config, which the root lacks.
    cargo
        .env("OPENSSL_INCLUDE_DIR", "/usr/include")
        .env("OPENSSL_LIB_DIR", LIBRARIES);
    step.run(&mut cargo)?;
    step.done();
    Ok(environment.paths.build(TARGET).join("debug"))
}

/// The root's cargo: arguments are to be added, and the packages to be there already.
pub(crate) fn cargo(environment: &Environment) -> Result<Command> {
    let paths = &environment.paths;
    let target = paths.build(TARGET);
    let home = cargo_home()?;
    let nothing = paths.build("root-cargo-bin");
    for folder in [&target, &home, &nothing] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut enclosure = environment
        .enclosure()
        .bind_read_only(paths.project(), PROJECT)
        .bind(&target, "/target")
        .bind(&home, "/cargo")
        .directory(PROJECT);
    // cargo takes its subcommands from there first, and the machine's would be rustup's.
    if home.join("bin").is_dir() {
        enclosure = enclosure.bind_read_only(nothing, "/cargo/bin");
    }
    // The machine's own settings may name tools that the root lacks. Where packages come from is theirs to say, though.
    for name in ["config.toml", "config"] {
        let file = home.join(name);
        if file.is_file() {
            let settings = fs::read_to_string(&file)?;
            let kept = paths.build("root-cargo.toml");
            fs::write(&kept, package_sources(&settings)?)?;
            enclosure = enclosure.bind_read_only(kept, format!("/cargo/{name}"));
        }
    }
    let mut command = enclosure.command("cargo");
    command
        .env("CARGO_HOME", "/cargo")
        .env("CARGO_TARGET_DIR", "/target");
    command.env("CARGO_NET_OFFLINE", "true");
    Ok(command)
}

fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    named
        .or_else(home)
        .context("neither CARGO_HOME nor HOME is set, so cargo's cache is not found")
}

/// Of cargo's settings, those about registries.
fn package_sources(settings: &str) -> Result<String> {
    let mut table: toml::Table = settings
        .parse()
        .context("cargo's settings are not understood")?;
    table.retain(|name, _| matches!(name, "source" | "registries" | "registry"));
    Ok(toml::to_string(&table)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_workspace() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let workspaces = workspaces(project).unwrap();
        for own in [
            "Cargo.toml",
            "firmware-lib/example-image/Cargo.toml",
            "fuzz/Cargo.toml",
        ] {
            assert!(workspaces.contains(&own.into()), "{workspaces:?}");
        }
        assert!(!workspaces.contains(&"xtask/Cargo.toml".into()));
    }

    #[test]
    fn takes_over_registries_and_no_tools() {
        let settings =
            "[build]\nrustc-wrapper = \"sccache\"\n[source.crates-io]\nreplace-with = \"near\"\n\
                        [source.near]\nregistry = \"sparse+https://near.example/\"\n";
        let kept = package_sources(settings).unwrap();
        assert!(
            kept.contains("near.example") && !kept.contains("sccache"),
            "{kept}"
        );
    }
}
