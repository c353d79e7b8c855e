// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Chooses the kernel modules that go into the guest and lays them out as modprobe wants them.
//!
//! A distribution's kernel has a thousand modules, and unpacking them would take longer than the rest of the boot. The
//! guest gets [`WANTED`] and what these depend on, decompressed, with indices made by the root's own depmod.

use super::root::Root;
use super::Driver;
use anyhow::{bail, Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Modules that are taken along where the kernel has them as modules. Elsewhere they are built in, or not to be had.
pub(super) const WANTED: &[&str] = &[
    // The distribution's own driver, and what either driver rests on.
    "tdx_guest",
    "configfs",
    "tsm_report",
    // The channels of this very tool, built into Debian's kernels.
    "virtio_console",
    "virtio_pci",
    // Where a Quote comes from.
    "vmw_vsock_virtio_transport",
    "vsock_loopback",
    // What firmware has measured: its variables, and what QEMU handed to it.
    "efivarfs",
    "qemu_fw_cfg",
    // What a program under test may want of a machine.
    "loop",
    "nls_ascii",
    "nls_cp437",
    "overlay",
    "vfat",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
];

/// Where depmod prefers modules to those of the distribution.
const UPDATES: &str = "updates";

/// Fills `tree`, an empty folder, with `<release>/…`: the modules and their indices.
///
/// `modules` is the kernel's folder of modules, which is only read and needs no indices of its own.
pub(crate) fn lay_out(
    root: Root<'_>,
    modules: &Path,
    release: &str,
    extra: &[String],
    driver: &Driver,
    tree: &Path,
) -> Result<()> {
    let available = find_all(modules)?;
    let stock = normal("tdx_guest");
    if matches!(driver, Driver::C) && !available.contains_key(&stock) {
        bail!(
            "{} has no tdx-guest module: this kernel's own driver cannot be loaded",
            modules.display()
        );
    }
    if let Some(missing) = extra.iter().find(|e| !available.contains_key(&normal(e))) {
        bail!("{} has no module {missing}", modules.display());
    }
    let wanted = WANTED
        .iter()
        .copied()
        .chain(extra.iter().map(String::as_str));
    let home = tree.join("lib/modules").join(release);
    fs::create_dir_all(&home)?;
    for name in with_dependencies(root, &available, wanted.map(normal))? {
        let from = &available[&name];
        let relative = from
            .strip_prefix(modules)
            .context("module outside its folder")?;
        let to = home.join(uncompressed(relative));
        fs::create_dir_all(to.parent().context("module without a folder")?)?;
        decompress(root, from, &to)?;
    }
    if let Some(ko) = driver.own_module() {
        let to = home.join(UPDATES);
        fs::create_dir_all(&to)?;
        fs::copy(ko, to.join("tdx-guest.ko"))
            .with_context(|| format!("cannot copy the driver {}", ko.display()))?;
    }
    for list in [
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        let from = modules.join(list);
        if from.exists() {
            fs::copy(&from, home.join(list))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        } else {
            // depmod warns without them. Debian ships them in a package of their own (linux-base-<release>).
            File::create(home.join(list))?;
        }
    }
    // As in Debian, and not as on the machine that this runs on, whose configuration depmod would read.
    let configuration = tree.join("depmod.conf");
    fs::write(&configuration, format!("search {UPDATES} built-in\n"))?;
    let output = root
        .program("usr/sbin/depmod")?
        .arg("-C")
        .arg(configuration)
        .arg("-b")
        .arg(tree)
        .arg(release)
        .output()
        .context("cannot run depmod")?;
    if !output.status.success() {
        bail!("depmod failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The kernel takes `-` and `_` in a module's name for the same.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// Every module under `folder`, by its normal name. Links are not followed: `build` and `source` lead elsewhere.
fn find_all(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let kernel = folder.join("kernel");
    let mut ahead = vec![kernel];
    while let Some(folder) = ahead.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot read the kernel's modules in {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                ahead.push(entry.path());
            } else if let Some((name, _)) = entry.file_name().to_str().and_then(split) {
                found.insert(normal(name), entry.path());
            }
        }
    }
    Ok(found)
}

/// A module's name and the end that tells its compression, from its file's name.
fn split(file: &str) -> Option<(&str, &str)> {
    let (name, end) = file.split_once(".ko")?;
    matches!(end, "" | ".xz" | ".zst" | ".gz").then_some((name, end))
}

/// The path of a module without the end that tells its compression.
fn uncompressed(path: &Path) -> PathBuf {
    if path.extension() == Some(OsStr::new("ko")) {
        path.to_owned()
    } else {
        path.with_extension("")
    }
}

fn with_dependencies(
    root: Root<'_>,
    available: &BTreeMap<String, PathBuf>,
    wanted: impl Iterator<Item = String>,
) -> Result<BTreeSet<String>> {
    let mut chosen = BTreeSet::new();
    let mut ahead: Vec<String> = wanted.filter(|name| available.contains_key(name)).collect();
    while let Some(name) = ahead.pop() {
        let path = available.get(&name).with_context(|| {
            format!("a module depends on {name}, which the kernel does not have")
        })?;
        if !chosen.insert(name) {
            continue;
        }
        let output = root
            .program("usr/sbin/modinfo")?
            .args(["-F", "depends"])
            .arg(path)
            .output()
            .context("cannot run modinfo")?;
        if !output.status.success() {
            bail!(
                "modinfo failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let depends = String::from_utf8(output.stdout).context("modinfo printed no text")?;
        ahead.extend(
            depends
                .trim()
                .split(',')
                .filter(|d| !d.is_empty())
                .map(normal),
        );
    }
    Ok(chosen)
}

fn decompress(root: Root<'_>, from: &Path, to: &Path) -> Result<()> {
    let mut command = match from.extension().and_then(OsStr::to_str) {
        Some("xz") => root.program("usr/bin/xz")?,
        Some("zst") => root.program("usr/bin/zstd")?,
        // The root's gzip is a shell script in some places; busybox is one static program.
        Some("gz") => {
            let mut busybox = Command::new(root.file("usr/bin/busybox")?);
            busybox.arg("gzip");
            busybox
        }
        _ => {
            fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
            return Ok(());
        }
    };
    let output = command
        .arg("-dc")
        .stdin(File::open(from).with_context(|| format!("cannot open {}", from.display()))?)
        .stdout(File::create(to).with_context(|| format!("cannot write {}", to.display()))?)
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("cannot decompress {}", from.display()))?;
    if !output.status.success() {
        bail!(
            "cannot decompress {}: {}",
            from.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{split, uncompressed};
    use std::path::Path;

    #[test]
    fn modules_are_told_by_their_names() {
        assert_eq!(split("tdx-guest.ko.xz"), Some(("tdx-guest", ".xz")));
        assert_eq!(split("a.ko"), Some(("a", "")));
        assert_eq!(split("modules.dep"), None);
        assert_eq!(split("a.ko.sig"), None);
    }

    #[test]
    fn only_the_compression_is_taken_off() {
        assert_eq!(uncompressed(Path::new("k/a.ko.xz")), Path::new("k/a.ko"));
        assert_eq!(uncompressed(Path::new("k/a.ko")), Path::new("k/a.ko"));
    }
}
