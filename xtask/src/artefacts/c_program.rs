// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Static programs in C, compiled in the Debian root, that run in the guest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::PROJECT;
use crate::progress::Progress;
use crate::setup::{Environment, Kernel};

/// Compiles Linux's own test of the TDX guest driver, unmodified, with the switches of its Makefile.
pub(crate) fn selftest(environment: &Environment, progress: &Progress) -> Result<PathBuf> {
    const SELFTESTS: &str = "/kernel/tools/testing/selftests";
    let source = format!("{SELFTESTS}/tdx/tdx_guest_test.c");
    build(
        environment,
        &source,
        &["-O3", &format!("-I{SELFTESTS}")],
        progress,
    )
}

/// Compiles one source file to a static program and gives its path.
///
/// The file is named as the root sees it: in the kernel's source by `/kernel/…`, in the project by `/project/…`.
pub(crate) fn build(
    environment: &Environment,
    source: &str,
    flags: &[&str],
    progress: &Progress,
) -> Result<PathBuf> {
    let Environment { paths, kernel, .. } = environment;
    let name = Path::new(source)
        .file_stem()
        .context("a source file without a name")?;
    let name = name.to_string_lossy();
    let out = paths.build(&format!("{}-programs", kernel.release));
    fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;

    let mut step = progress.step(&format!("C program {name}"))?;
    let mut gcc = environment
        .enclosure()
        .bind_read_only(paths.project(), PROJECT)
        .bind_read_only(&kernel.tree, Kernel::TREE)
        .bind(&out, "/out")
        .command("gcc");
    gcc.args(["-O2", "-Wall", "-static"]).args(flags);
    // Under a name of this xtask's own first: another one may be running what is there.
    let partial = format!("{name}.{}", std::process::id());
    step.run(gcc.arg("-o").arg(format!("/out/{partial}")).arg(source))?;
    let program = out.join(&*name);
    fs::rename(out.join(partial), &program)?;
    step.done();
    Ok(program)
}
