// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys for Secure Boot, made once for each clone of the project. They protect nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::lock::Lock;
use crate::progress::Progress;
use crate::setup::{Environment, Kernel};

/// Where the folder of the keys is shown in the root.
pub(crate) const IN_ROOT: &str = "/keys";

/// Platform key, key exchange key, and the key that signs what is started.
const NAMES: [&str; 3] = ["PK", "KEK", "db"];

/// Makes the keys that are missing, and gives the folder that has `NAME.key` and `NAME.crt` of each.
///
/// # Errors
/// When openssl fails.
pub(crate) fn make(environment: &Environment, progress: &Progress) -> Result<PathBuf> {
    let folder = environment.paths.build("keys");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let _lock = Lock::exclusive(&folder.join("lock"), "that makes keys")?;
    let inside = environment.enclosure().bind(&folder, IN_ROOT);
    for name in NAMES {
        // The certificate comes last.
        if folder.join(format!("{name}.crt")).is_file() {
            continue;
        }
        let mut step = progress.step(&format!("key {name}"))?;
        let mut openssl = inside.command("openssl");
        openssl.args([
            "req", "-new", "-x509", "-newkey", "rsa:2048", "-sha256", "-nodes",
        ]);
        openssl.args(["-days", "36500", "-subj"]);
        openssl.arg(format!("/CN=TDX guest test {name}/"));
        openssl.arg("-keyout").arg(format!("{IN_ROOT}/{name}.key"));
        openssl.arg("-out").arg(format!("{IN_ROOT}/{name}.partial"));
        step.run(&mut openssl)?;
        fs::rename(
            folder.join(format!("{name}.partial")),
            folder.join(format!("{name}.crt")),
        )?;
        step.done();
    }
    Ok(folder)
}

/// Makes a copy of a module that is signed with the key `db`, which Debian's kernels take from the firmware.
///
/// # Errors
/// When `strip` or `sign-file` fails.
pub(crate) fn sign_module(
    environment: &Environment,
    keys: &Path,
    module: &Path,
    progress: &Progress,
) -> Result<PathBuf> {
    let kernel = &environment.kernel;
    let folder = environment
        .paths
        .build(&format!("{}-signed", kernel.release));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let _lock = Lock::exclusive(&folder.join("lock"), "that signs the module")?;
    let mut step = progress.step("signature of the module")?;
    let name = module
        .file_name()
        .context("the module has no name")?
        .to_string_lossy();
    let inside = environment
        .enclosure()
        .bind(&folder, "/out")
        .bind_read_only(module, "/module.ko")
        .bind_read_only(keys, IN_ROOT)
        .bind_read_only(&kernel.tree, Kernel::TREE);
    let partial = format!("/out/{name}.partial");
    let mut strip = inside.command("strip");
    step.run(strip.args(["--strip-debug", "-o", &partial, "/module.ko"]))?;
    let mut sign = inside.command(format!("{}/scripts/sign-file", Kernel::TREE));
    sign.arg("sha256")
        .arg(format!("{IN_ROOT}/db.key"))
        .arg(format!("{IN_ROOT}/db.crt"))
        .arg(&partial);
    step.run(&mut sign)?;
    let signed = folder.join(&*name);
    fs::rename(folder.join(format!("{name}.partial")), &signed)?;
    step.done();
    Ok(signed)
}
