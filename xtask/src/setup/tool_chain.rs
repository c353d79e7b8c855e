// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The packages of the Debian root: the tool chain that Debian's kernels are built with, and QEMU.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{bail, Context, Result};

use super::bootstrap::archives;
use super::SUITE;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::Step;
use crate::space;

/// From the suite itself.
pub(super) const TOOLS: [&str; 23] = [
    "bc",
    "bindgen",
    "bison",
    "busybox-static",
    "cargo",
    "cpio",
    "flex",
    "gcc",
    "kmod",
    "libc6-dev",
    "libelf-dev",
    "libssl-dev",
    "make",
    "openssl",
    "pahole",
    "python3",
    "python3-pip",
    "rust-clippy",
    "rust-src",
    "rustc",
    "rustfmt",
    "xz-utils",
    "zstd",
];

/// From the suite's backports.
pub(super) const QEMU: &str = "qemu-system-x86";

/// What [`install_more`] takes on disk at most, downloads included.
const MORE_SIZE: u64 = 1000 << 20;

/// The first QEMU with plugin API 7 that can set the program counter.
const QEMU_AT_LEAST: (u32, u32) = (11, 1);

/// Runs programs in the root with this machine's network settings and a cache of packages that outlives the root.
pub(super) fn online(paths: &Paths, root: &Path) -> Result<Enclosure> {
    let archives = archives(paths);
    fs::create_dir_all(archives.join("partial"))
        .with_context(|| format!("making {}", archives.display()))?;
    let mut enclosure = Enclosure::root(root).bind(archives, "/var/cache/apt/archives");
    for file in [
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/ssl/certs/ca-certificates.crt",
    ] {
        // Certificates only where the root has its own already: an authority that only this machine knows may sign the
        // mirror's.
        if Path::new(file).exists() && root.join(&file[1..]).is_file() {
            enclosure = enclosure.bind_read_only(file, file);
        }
    }
    Ok(enclosure)
}

/// Installs the tool chain.
pub(super) fn install_tools(paths: &Paths, root: &Path, step: &mut Step) -> Result<()> {
    let online = online(paths, root)?;
    step.run(online.command("apt-get").args(["-q", "update"]))?;
    step.run(install(&online, SUITE).args(TOOLS))
}

/// Installs QEMU and checks its version.
pub(super) fn install_qemu(paths: &Paths, root: &Path, step: &mut Step) -> Result<()> {
    step.run(install(&online(paths, root)?, &format!("{SUITE}-backports")).arg(QEMU))?;
    let version = step.output(
        Enclosure::root(root)
            .command("qemu-system-x86_64")
            .arg("--version"),
    )?;
    match qemu_version(&version) {
        Some(found) if found >= QEMU_AT_LEAST => Ok(()),
        _ => bail!(
            "QEMU {}.{} or newer is needed, for its plugin API; {SUITE}-backports has {}",
            QEMU_AT_LEAST.0,
            QEMU_AT_LEAST.1,
            version.lines().next().unwrap_or("none")
        ),
    }
}

/// Adds packages to a root that is there. None is removed, and none of these is brought up to date that is there already;
/// what they depend on may be.
pub(super) fn install_more(
    paths: &Paths,
    root: &Path,
    packages: &[&str],
    step: &mut Step,
) -> Result<()> {
    let what = format!("installing {}", packages.join(", "));
    space::require(paths.work(), MORE_SIZE, &what)?;
    let online = online(paths, root)?;
    let result = mend(&online, step).and_then(|()| {
        step.run(
            install(&online, SUITE)
                .arg("--no-remove")
                .arg("--no-upgrade")
                .args(packages),
        )
    });
    discard(paths, &paths.cache("archives"))?;
    result
}

/// Ends what an installation has left half done that was killed: until then, apt installs nothing. There is nothing to do
/// otherwise.
fn mend(online: &Enclosure, step: &mut Step) -> Result<()> {
    let mut configure = online.command("dpkg");
    configure.env("DEBIAN_FRONTEND", "noninteractive");
    // It fails where a package is unpacked and one that it depends on is not, which apt then installs.
    step.status(configure.args(["--configure", "-a"]))?;
    step.run(install(online, SUITE).args(["--no-remove", "--fix-broken"]))
}

fn install(online: &Enclosure, suite: &str) -> std::process::Command {
    let mut command = online.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args([
        "-q",
        "-y",
        "--no-install-recommends",
        "-t",
        suite,
        "install",
    ]);
    command
}

fn qemu_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .strip_prefix("QEMU emulator version ")?
        .split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Every installed package and its version.
pub(super) fn installed(root: &Path, step: &mut Step) -> Result<BTreeMap<String, String>> {
    let format = "-f=${binary:Package}\t${Version}\n";
    let text = step.output(
        Enclosure::root(root)
            .command("dpkg-query")
            .args(["-W", format]),
    )?;
    text.lines()
        .map(|line| {
            line.split_once('\t')
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
        })
        .collect::<Option<_>>()
        .context("dpkg-query's output is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debians_qemu_version() {
        let text = "QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\nCopyright (c) 2003-2026 Fabrice Bellard\n";
        assert_eq!(qemu_version(text), Some((11, 1)));
        assert!(qemu_version("QEMU emulator version 10.0.13 (Debian)").unwrap() < QEMU_AT_LEAST);
        assert_eq!(qemu_version("bash: not found"), None);
    }
}
