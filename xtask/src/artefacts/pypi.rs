// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packages of Python's registry, unmodified, by the Debian root's pip.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Result};

use crate::disposal::discard;
use crate::progress::Progress;
use crate::setup::Environment;
use crate::vm::root::Root;

/// Programs that talk to the driver, and the one package that they need beside Python's own. What else they name is for
/// their tests and their packaging.
const CLIENTS: [&str; 3] = ["pytdxmeasure", "cctrusted_vm", "cctrusted_base"];

/// What checks evidence.
const VERIFIERS: [&str; 2] = ["cctrusted_base", "dcap-qvl"];

/// The programs that talk to the driver, in a folder.
pub(crate) fn clients(environment: &Environment, progress: &Progress) -> Result<PathBuf> {
    install("pypi", &CLIENTS, environment, progress)
}

/// The packages that check evidence, in a folder.
pub(crate) fn verifiers(environment: &Environment, progress: &Progress) -> Result<PathBuf> {
    install("pypi-verifiers", &VERIFIERS, environment, progress)
}

/// Installs the newest versions of the packages into a folder of that name, and gives its path. A second time they are
/// there, and no network is needed.
fn install(
    name: &str,
    packages: &[&str],
    environment: &Environment,
    progress: &Progress,
) -> Result<PathBuf> {
    let Environment { paths, root, .. } = environment;
    let folder = paths.build(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let mut step = progress.step("packages from PyPI")?;
    let partial = paths.build(&format!("{name}.{}", std::process::id()));
    discard(paths, &partial)?;
    // In place, so that it has this machine's network, certificates and settings for pip.
    let mut pip = Root(root).program("usr/bin/python3")?;
    pip.env("PYTHONHOME", root.join("usr"));
    pip.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:"]);
    // Compiled by another Python than the guest's they would be of no use.
    pip.arg("--no-compile").arg("--target").arg(&partial);
    step.run(pip.args(packages))?;
    if fs::rename(&partial, &folder).is_err() {
        // Another xtask was faster.
        discard(paths, &partial)?;
    }
    step.done();
    Ok(folder)
}

/// A package in that folder with its version, such as `pytdxmeasure-0.0.9`.
pub(crate) fn version(folder: &Path, package: &str) -> Result<String> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match name.strip_suffix(".dist-info") {
            Some(name) if name.starts_with(package) => return Ok(name.to_owned()),
            _ => {}
        }
    }
    bail!("{} has no {package}", folder.display())
}
