// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Copies of the TDVF with other variables. The code stays as it is, and so does MRTD; RTMR0 measures the variables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::keys;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::setup::{Environment, Firmware};

/// Makes a copy that does not enforce Secure Boot, and gives its path. Debian's has it on, and QEMU hands over a kernel
/// that no loader has checked.
///
/// # Errors
/// When `virt-fw-vars` fails.
pub(crate) fn without_secure_boot(
    environment: &Environment,
    firmware: &Firmware,
    progress: &Progress,
) -> Result<PathBuf> {
    let arguments = ["--set-false", "SecureBootEnable"];
    let folder = environment.paths.build("firmware");
    make(environment, firmware, &folder, "/out", &arguments, progress)
}

/// Makes a copy that enforces Secure Boot with keys of this clone's own, and gives its path. Microsoft's stay in its
/// database, by which shim is signed.
///
/// # Errors
/// When `virt-fw-vars` fails.
pub(crate) fn with_own_keys(
    environment: &Environment,
    firmware: &Firmware,
    keys: &Path,
    progress: &Progress,
) -> Result<PathBuf> {
    // Who is said to have enrolled them.
    const OWNER: &str = "7d5f6f5e-3a52-4f0a-9c55-747478000003";
    let certificate = |name| format!("{}/{name}.crt", keys::IN_ROOT);
    let (pk, kek, db) = (certificate("PK"), certificate("KEK"), certificate("db"));
    let arguments = [
        "--set-pk",
        OWNER,
        &pk,
        "--add-kek",
        OWNER,
        &kek,
        "--add-db",
        OWNER,
        &db,
        "--set-true",
        "SecureBootEnable",
    ];
    make(
        environment,
        firmware,
        keys,
        keys::IN_ROOT,
        &arguments,
        progress,
    )
}

/// Makes a copy in `folder` with `virt-fw-vars`, unless it is there. The tool sees what is in the folder at `inside`.
fn make(
    environment: &Environment,
    firmware: &Firmware,
    folder: &Path,
    inside: &str,
    arguments: &[&str],
    progress: &Progress,
) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let name = format!("tdvf-{}.fd", firmware.version);
    let made = folder.join(&name);
    let _lock = Lock::exclusive(&folder.join("image.lock"), "that makes a firmware image")?;
    if made.is_file() {
        return Ok(made);
    }
    let mut step = progress.step("variables of the firmware")?;
    let root = firmware
        .with_tools(environment.enclosure())
        .bind_read_only(&firmware.tdvf, "/tdvf.fd")
        .bind(folder, inside);
    let mut command = firmware.tool(&root, "virt-fw-vars")?;
    command.args(["-i", "/tdvf.fd", "-o"]);
    command.arg(format!("{inside}/partial")).args(arguments);
    step.run(&mut command)?;
    fs::rename(folder.join("partial"), &made).context("moving the firmware image")?;
    step.done();
    Ok(made)
}
