// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel's source, configured as Debian's and prepared for building modules.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{bail, Context, Result};

use super::{deb, Kernel};
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::{Progress, Step};
use crate::setup::config::Config;
use crate::setup::selection::Choice;

/// Two thirds of the source that no module outside of it, and nothing in its preparation, reads: the code of other drivers
/// and architectures. Their headers, Kconfig and Rust files stay. In these patterns, `*` stands for folders too.
pub(super) const UNUSED: [&str; 8] = [
    "Documentation/*.rst",
    "Documentation/*.svg",
    "arch/*.dts*",
    "drivers/*.c",
    "drivers/gpu/drm/amd/*.h",
    "fs/*.c",
    "net/*.c",
    "sound/*.c",
];

/// The tree until it is whole, beside the downloads.
pub(super) const PARTIAL: &str = "tree.partial";

/// What a tree is good for.
#[derive(Debug)]
pub(super) struct Made {
    /// Whether it takes modules in Rust.
    pub(super) rust: bool,
    /// The compiler's command.
    pub(super) compiler: String,
}

/// Makes `whole/tree`, in two steps.
pub(super) fn make(
    paths: &Paths,
    choice: &Choice,
    work: &Path,
    progress: &Progress,
) -> Result<Made> {
    let release = choice.release.as_str();
    let tree = work.join("whole/tree");
    let partial = work.join(PARTIAL);
    let inside = Enclosure::root(paths.root())
        .bind(work, "/work")
        .bind(&partial, Kernel::TREE)
        .directory(Kernel::TREE);

    let mut step = progress.step(&format!("kernel {release}: source"))?;
    if !tree.exists() {
        fs::create_dir_all(&partial)?;
        unpack(choice, work, &inside, &mut step)?;
    }
    step.done();

    let mut step = progress.step(&format!("kernel {release}: preparation"))?;
    if !tree.exists() {
        prepare(choice, work, &partial, &inside, &mut step)?;
        fs::rename(&partial, &tree).context("moving the prepared source")?;
    }
    step.done();
    let config = fs::read_to_string(tree.join(".config"))?;
    let config = Config::parse(&config);
    Ok(Made {
        rust: config.is_on("RUST"),
        compiler: config.compiler().unwrap_or("gcc").into(),
    })
}

fn unpack(choice: &Choice, work: &Path, inside: &Enclosure, step: &mut Step) -> Result<()> {
    step.run(
        inside
            .command("dpkg-deb")
            .arg("-x")
            .arg(format!("/work/{}", deb(work, headers(choice)?)?))
            .arg("/work/headers"),
    )?;
    unpack_source(choice, work, &UNUSED, inside, step)
}

/// The name of the headers package.
fn headers(choice: &Choice) -> Result<&str> {
    let headers = choice.headers.as_deref();
    headers.with_context(|| format!("{} has no headers package", choice.release))
}

/// Unpacks the kernel's source, but for files that match `unused`, to where `inside` starts programs.
pub(super) fn unpack_source(
    choice: &Choice,
    work: &Path,
    unused: &[&str],
    inside: &Enclosure,
    step: &mut Step,
) -> Result<()> {
    // The tar file is fed from package to tar without lying on disk in between.
    let script = "set -o pipefail; deb=$1; name=$2; shift 2; \
                  dpkg-deb --fsys-tarfile \"$deb\" | tar -xO \"./usr/src/$name.tar.xz\" | xz -dc -T0 | \
                  tar -x --no-same-owner --strip-components=1 --anchored \"$@\"";
    let mut command = inside.command("bash");
    command
        .args(["-c", script, "unpack"])
        .arg(format!("/work/{}", deb(work, &choice.source)?))
        .arg(&choice.source);
    step.run(
        command.args(
            unused
                .iter()
                .map(|pattern| format!("--exclude={}/{pattern}", choice.source)),
        ),
    )
}

fn prepare(
    choice: &Choice,
    work: &Path,
    tree: &Path,
    inside: &Enclosure,
    step: &mut Step,
) -> Result<()> {
    let release = choice.release.as_str();
    let headers = work.join("headers/usr/src").join(headers(choice)?);
    let debian = fs::read_to_string(headers.join(".config"))
        .context("reading the configuration in the headers package")?;
    let debian = Config::parse(&debian);
    let compiler = debian
        .compiler()
        .context("the kernel's configuration names no compiler")?;
    check_tools(&debian, compiler, release, inside, step)?;

    fs::copy(headers.join(".config"), tree.join(".config"))?;
    let version = step.output(inside.command("make").args(["-s", "kernelversion"]))?;
    let Some(local) = release.strip_prefix(version.trim()) else {
        bail!(
            "the source of {} says that it is {}, not a part of {release}",
            choice.version,
            version.trim()
        );
    };
    fs::write(tree.join("localversion"), format!("{local}\n"))?;
    let jobs = available_parallelism().map_or(1, usize::from);
    for targets in [&["olddefconfig"][..], &["prepare", "modules_prepare"]] {
        let mut make = inside.command("make");
        make.arg(format!("-j{jobs}"))
            .arg("LOCALVERSION=")
            .arg(format!("CC={compiler}"))
            .args(targets);
        step.run(&mut make)?;
    }
    fs::copy(headers.join("Module.symvers"), tree.join("Module.symvers"))?;

    let made = fs::read_to_string(tree.join("include/config/kernel.release"))?;
    if made.trim() != release {
        bail!("the prepared source calls itself {}, which modules for {release} must not be built with", made.trim());
    }
    let after = fs::read_to_string(tree.join(".config"))?;
    let differences = debian.differences(&Config::parse(&after));
    if debian.is_on("RUST") && !Config::parse(&after).is_on("RUST") {
        return Err(step.failure(&format!(
            "the source was configured without Rust:\n{}",
            differences.join("\n")
        )));
    }
    for difference in differences {
        step.warn(&format!("not as in Debian's kernel: {difference}"));
    }
    Ok(())
}

/// Checks that the root has the compilers that built the kernel. Rust code of another rustc has other symbols.
fn check_tools(
    debian: &Config<'_>,
    compiler: &str,
    release: &str,
    inside: &Enclosure,
    step: &mut Step,
) -> Result<()> {
    step.run(inside.command(compiler).arg("--version"))?;
    let Some(wanted) = debian.rustc().filter(|_| debian.is_on("RUST")) else {
        step.warn(&format!("{release} was built without Rust: it can be booted, but the driver cannot be built for it"));
        return Ok(());
    };
    let found = step.output(inside.command("rustc").arg("--version"))?;
    if found.trim() != wanted {
        bail!(
            "{release} was built with another rustc than the root's, and takes no module of it\n  the kernel's: {wanted}\n  \
             the root's: {}\nname another kernel with --kernel",
            found.trim()
        );
    }
    Ok(())
}
