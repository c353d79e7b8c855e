// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel that finds mistakes in the driver: the source of Debian's, but configured and built here.
//!
//! Linux takes Rust and KASAN together only where clang compiles the C. A build that was cut off goes on where it was: make
//! and Kbuild take no object for finished whose command did not end.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{bail, ensure, Context, Result};

use super::tree::{unpack_source, Made};
use super::Kernel;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::{Progress, Step};
use crate::setup::config::Config;
use crate::setup::selection::{Choice, DEBUG};

/// What is set on top of `make tinyconfig`.
const CONFIG: &str = include_str!("debug.config");

/// The C compiler.
pub(super) const COMPILER: &str = "clang";

/// What `make` is told to use it, with the linker and all that belongs to it.
pub(super) const MAKE: &str = "LLVM=1";

/// What the source takes on disk with all that is built from it, and the compiler, until what is not needed any more goes.
pub(super) const UNPACKED: u64 = 4000 << 20;

/// About how many lines the build prints.
const LINES: usize = 1850;

/// Of the source, what no configuration of this kernel compiles.
const UNUSED: [&str; 8] = [
    "Documentation/*.rst",
    "Documentation/*.svg",
    "arch/*.dts*",
    "drivers/gpu/*.c",
    "drivers/gpu/drm/amd/*.h",
    "drivers/media/*.c",
    "drivers/net/ethernet/*.c",
    "sound/*.c",
];

/// Changes with the configuration.
pub(super) fn recipe() -> u32 {
    // FNV-1a, which stays the same whatever the compiler of this program.
    CONFIG.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// Makes `whole/tree`, `whole/image` and `whole/vmlinuz`, in two steps.
pub(super) fn make(
    paths: &Paths,
    choice: &Choice,
    work: &Path,
    progress: &Progress,
) -> Result<Made> {
    let release = choice.release.as_str();
    let made = Made {
        rust: true,
        compiler: COMPILER.into(),
    };
    let source = work.join("source");
    let built = work.join("built");
    let tree = work.join("whole/tree");
    let mut step = progress.step(&format!("kernel {release}: source"))?;
    if !source.exists() && !built.exists() && !tree.exists() {
        let partial = work.join("source.partial");
        discard(paths, &partial)?;
        fs::create_dir_all(&partial)?;
        unpack_source(choice, work, &UNUSED, &at(paths, work, &partial), &mut step)?;
        fs::rename(&partial, &source).context("moving the unpacked source")?;
    }
    step.done();

    let mut step = progress.step(&format!("kernel {release}: build"))?;
    if !built.exists() && !tree.exists() {
        let inside = at(paths, work, &source);
        configure(choice, &source, &inside, &mut step)?;
        build(paths, choice, work, &source, &inside, &mut step)?;
        fs::rename(&source, &built).context("moving the built source")?;
    }
    if !tree.exists() {
        // Under that name, so that what is half pruned is never taken for source.
        prune(&at(paths, work, &built), &mut step)?;
        fs::rename(&built, &tree).context("moving the pruned source")?;
    }
    step.done();
    Ok(made)
}

/// Runs programs in the source.
fn at(paths: &Paths, work: &Path, source: &Path) -> Enclosure {
    Enclosure::root(paths.root())
        .bind(work, "/work")
        .bind(source, Kernel::TREE)
        .directory(Kernel::TREE)
}

/// `make` in the source.
fn kbuild(inside: &Enclosure) -> std::process::Command {
    let mut make = inside.command("make");
    make.args([MAKE, "LOCALVERSION="]);
    make
}

/// Writes the configuration, and checks that the kernel has taken it as it was meant.
fn configure(choice: &Choice, source: &Path, inside: &Enclosure, step: &mut Step) -> Result<()> {
    fs::write(source.join("localversion"), format!("{DEBUG}\n"))?;
    step.run(kbuild(inside).arg("tinyconfig"))?;
    let path = source.join(".config");
    let tiny = fs::read_to_string(&path)?;
    fs::write(&path, tiny + CONFIG)?;
    step.run(kbuild(inside).arg("olddefconfig"))?;

    let text = fs::read_to_string(&path)?;
    let refused = Config::parse(&text).refused(CONFIG);
    if !refused.is_empty() {
        return Err(step.failure(&format!(
            "the kernel {} does not take the configuration of debug.config:\n{}",
            choice.version,
            refused.join("\n")
        )));
    }
    Ok(())
}

/// Builds the kernel, and takes of it what is needed to boot it and to build modules for it.
fn build(
    paths: &Paths,
    choice: &Choice,
    work: &Path,
    source: &Path,
    inside: &Enclosure,
    step: &mut Step,
) -> Result<()> {
    let release = choice.release.as_str();
    let jobs = available_parallelism().map_or(1, usize::from);
    let mut make = kbuild(inside);
    step.run_long(make.arg(format!("-j{jobs}")).arg("all"), LINES)?;
    let made = fs::read_to_string(source.join("include/config/kernel.release"))?;
    if made.trim() != release {
        bail!(
            "the kernel that was built calls itself {}, not {release}",
            made.trim()
        );
    }

    let whole = work.join("whole");
    let image = whole.join("image");
    discard(paths, &image)?;
    step.run(kbuild(inside).args(["modules_install", "INSTALL_MOD_PATH=/work/whole/image"]))?;
    ensure!(
        image
            .join("lib/modules")
            .join(release)
            .join("modules.dep")
            .exists(),
        "modules_install has installed nothing"
    );
    fs::copy(source.join("arch/x86/boot/bzImage"), whole.join("vmlinuz"))
        .context("there is no arch/x86/boot/bzImage")?;
    Ok(())
}

/// Deletes what building modules takes nothing from: objects, and the source that Debian's kernels are kept without, too.
fn prune(inside: &Enclosure, step: &mut Step) -> Result<()> {
    let mut find = inside.command("find");
    find.args([".", "-type", "f"]);
    // These have programs and the metadata of Rust's crates, which are used.
    for folder in ["./rust/*", "./scripts/*", "./tools/*"] {
        find.args(["-not", "-path", folder]);
    }
    find.args(["(", "-name", "*.o"]);
    for name in ["*.a", ".*.cmd", "vmlinux", "vmlinux.unstripped"] {
        find.args(["-o", "-name", name]);
    }
    for pattern in super::tree::UNUSED {
        find.args(["-o", "-path", &format!("./{pattern}")]);
    }
    step.run(find.args([")", "-delete"]))
}
