// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tdx-guest.ko`, for one kernel.

use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{bail, Context, Result};

use super::PROJECT;
use crate::disposal::discard;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::setup::{Environment, Kernel};

/// The module's file.
pub(crate) const FILE: &str = "tdx-guest.ko";

/// How to build the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Rigour {
    /// What changed is compiled again; warnings are in the log.
    #[default]
    Incremental,
    /// Everything is compiled again, and a warning is an error.
    DenyWarnings,
    /// As [`Rigour::DenyWarnings`], under clippy with the kernel's own lints.
    Clippy,
}

/// Builds the module for the environment's kernel and gives its path. Nothing is written into the project's source, nor
/// into the kernel's.
///
/// # Errors
/// When the kernel takes no modules in Rust, when the build fails, or warns and must not.
pub(crate) fn build(
    environment: &Environment,
    rigour: Rigour,
    progress: &Progress,
) -> Result<PathBuf> {
    let Environment { paths, kernel, .. } = environment;
    let release = &kernel.release;
    if !kernel.rust {
        bail!("{release} was built without Rust support, so the driver cannot be built for it; name another kernel with --kernel");
    }
    if !paths.project().join("Kbuild").is_file() {
        bail!("the project has no Kbuild file");
    }
    let kind = match rigour {
        Rigour::Incremental => release.clone(),
        Rigour::DenyWarnings => format!("{release}-strict"),
        Rigour::Clippy => format!("{release}-clippy"),
    };
    let out = paths.build(&kind);
    let _lock = Lock::exclusive(
        &paths.build(&format!("{kind}.lock")),
        "that builds the module",
    )?;
    if rigour != Rigour::Incremental {
        // What is up to date is not compiled again, and would not warn again.
        discard(paths, &out)?;
    }
    fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;

    let mut step = progress.step(&match rigour {
        Rigour::Incremental => format!("module for {release}"),
        Rigour::DenyWarnings => format!("module for {release} without warnings"),
        Rigour::Clippy => format!("module for {release} under clippy"),
    })?;
    let inside = environment
        .enclosure()
        .bind_read_only(paths.project(), PROJECT)
        .bind_read_only(&kernel.tree, Kernel::TREE)
        .bind(&out, "/out");
    let mut make = inside.command("make");
    make.arg(format!(
        "-j{}",
        available_parallelism().map_or(1, usize::from)
    ));
    make.args(["-C", Kernel::TREE, "LOCALVERSION=", "MO=/out"])
        .arg(kernel.make_argument())
        .arg(format!("M={PROJECT}"));
    if rigour == Rigour::Clippy {
        make.arg("CLIPPY=1");
    }
    let mut warnings = 0;
    step.run_and_look(make.arg("modules"), |line| {
        warnings += usize::from(is_warning(line));
    })?;
    if rigour != Rigour::Incremental && warnings != 0 {
        return Err(step.failure(&format!("{warnings} warnings")));
    }
    let module = out.join(FILE);
    if !module.is_file() {
        return Err(step.failure(&format!("the build made no {FILE}")));
    }
    step.done();
    Ok(module)
}

/// Whether a line that a build prints is a warning of the compilers, of modpost or objtool.
fn is_warning(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.contains("warning:") || lower.starts_with("warning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_the_warnings_of_every_tool() {
        let log = "  RUSTC [M] kmod/main.o\n\
                   warning: unused variable: `x`\n\
                   WARNING: modpost: missing MODULE_DESCRIPTION() in tdx-guest.o\n\
                   kmod/x.o: warning: objtool: f(): unreachable instruction\n\
                   x.c:3:5: warning: unused variable 'y' [-Wunused-variable]\n";
        assert_eq!(log.lines().filter(|line| is_warning(line)).count(), 4);
        assert!(!is_warning("  LD [M] tdx-guest.ko"));
    }
}
