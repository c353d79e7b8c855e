// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the set-up needs of this machine. Nothing is ever installed on it.

use std::path::Path;

use anyhow::{bail, Result};
use nix::unistd::geteuid;

/// Downloads with apt's own settings, proxies among them. It comes with apt.
pub(super) const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Programs that debootstrap and the steps around it run, and the Debian packages they are in, all of them in a minimal
/// installation.
const PROGRAMS: [(&str, &str); 8] = [
    ("apt-config", "apt"),
    ("apt-get", "apt"),
    ("chroot", "coreutils"),
    ("dpkg-deb", "dpkg"),
    ("gunzip", "gzip"),
    ("mount", "mount"),
    ("perl", "perl-base"),
    ("sh", "dash"),
];

/// Checks that this machine can do the set-up.
///
/// # Errors
/// One sentence about what is missing.
pub(super) fn check() -> Result<()> {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        bail!("the set-up needs Linux on x86-64");
    }
    if !geteuid().is_root() {
        bail!("the set-up must be run by root: it makes a Debian root, with mounts in private namespaces; nothing is installed");
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin:/usr/bin:/bin";
    let missing = missing(&path);
    if !missing.is_empty() {
        bail!(
            "the set-up needs programs that this machine lacks: {}",
            missing.join(", ")
        );
    }
    if !Path::new(APT_HELPER).exists() {
        bail!("the set-up needs {APT_HELPER}, a part of Debian's apt, which this machine lacks");
    }
    Ok(())
}

fn missing(path: &str) -> Vec<String> {
    let found = |program: &str| {
        path.split(':')
            .any(|folder| Path::new(folder).join(program).is_file())
    };
    let mut missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !found(program))
        .map(|(program, package)| format!("{program} (Debian package {package})"))
        .collect();
    if !found("gpgv") && !found("sqv") {
        missing.push("gpgv or sqv (Debian packages of these names)".into());
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_missing_program_and_its_package() {
        let missing = missing("/nonexistent").join(", ");
        assert!(
            missing.contains("dpkg-deb (Debian package dpkg)"),
            "{missing}"
        );
        assert!(missing.contains("gpgv or sqv"), "{missing}");
    }
}
