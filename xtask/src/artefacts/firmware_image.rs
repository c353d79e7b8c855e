// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Copies of the TDVF with other variables. The code stays as it is, and so does MRTD; RTMR0 measures the variables.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

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
    make(environment, firmware, "insecure", &arguments, progress)
}

/// Makes `name`.fd with `virt-fw-vars`, unless it is there.
fn make(
    environment: &Environment,
    firmware: &Firmware,
    name: &str,
    arguments: &[&str],
    progress: &Progress,
) -> Result<PathBuf> {
    let folder = environment.paths.build("firmware").join(format!(
        "{}-{}",
        firmware.version, environment.kernel.release
    ));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let made = folder.join(format!("{name}.fd"));
    let _lock = Lock::exclusive(&folder.join("lock"), "that makes firmware images")?;
    if made.is_file() {
        return Ok(made);
    }
    let mut step = progress.step(&format!("firmware {name}"))?;
    let partial = format!("{name}.partial");
    let inside = firmware
        .with_tools(environment.enclosure())
        .bind_read_only(&firmware.tdvf, "/tdvf.fd")
        .bind(&folder, "/out");
    let mut command = firmware.tool(&inside, "virt-fw-vars")?;
    command.args(["-i", "/tdvf.fd", "-o"]);
    command.arg(format!("/out/{partial}")).args(arguments);
    step.run(&mut command)?;
    fs::rename(folder.join(partial), &made).context("moving the firmware image")?;
    step.done();
    Ok(made)
}
