// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes the minimal Debian root, with a debootstrap that is unpacked and not installed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::host::APT_HELPER;
use super::mirror::{proxies, Mirror};
use super::SUITE;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::Step;

/// debootstrap downloads with wget, which a minimal Debian lacks. apt's own downloader stands in for it: it is always there,
/// and knows the proxies that apt is configured for.
const WGET: &str = "#!/bin/sh
# debootstrap calls: wget [-U AGENT] [OPTION]... -O FILE URL
while [ $# -gt 1 ]; do
    case $1 in
    -O) file=$2; shift 2 ;;
    -U) shift 2 ;;
    *) shift ;;
    esac
done
";

/// Where the downloaded packages of the root are kept until it is whole.
pub(super) fn archives(paths: &Paths) -> PathBuf {
    paths.cache("archives")
}

/// Makes a minimal root of the suite at `root`, which does not exist yet.
pub(super) fn bootstrap(
    paths: &Paths,
    mirror: &Mirror,
    root: &Path,
    step: &mut Step,
) -> Result<()> {
    let tool = paths.cache("debootstrap");
    mirror.unpack(paths, "debootstrap", &tool, step)?;
    let archives = archives(paths);
    fs::create_dir_all(archives.join("partial"))
        .with_context(|| format!("making {}", archives.display()))?;
    mirror.prefetch(&archives, step)?;

    let shim = tool.join("bin");
    fs::create_dir_all(&shim)?;
    let helper = format!("exec {APT_HELPER} -q -oAPT::Sandbox::User=root -oAcquire::Retries=3 download-file \"$1\" \"$file\"\n");
    fs::write(shim.join("wget"), format!("{WGET}{helper}"))?;
    fs::set_permissions(shim.join("wget"), Permissions::from_mode(0o755))?;

    let mut command = Enclosure::host().command(tool.join("usr/sbin/debootstrap"));
    let path = command
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .and_then(|(_, value)| value.map(ToOwned::to_owned));
    let path = format!(
        "{}:{}",
        shim.display(),
        path.unwrap_or_default().to_string_lossy()
    );
    command.env("PATH", path);
    command.env("DEBOOTSTRAP_DIR", tool.join("usr/share/debootstrap"));
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DPKG_FORCE", "unsafe-io");
    command.args(["--variant=minbase", "--arch=amd64"]);
    if mirror.url.starts_with("https:") {
        command.arg("--include=ca-certificates");
    }
    command.arg(format!("--keyring={}", mirror.keyring.display()));
    command.arg(format!("--cache-dir={}", archives.display()));
    command.arg(SUITE).arg(root).arg(&mirror.url);
    step.run(&mut command).map_err(|error| {
        match fs::read_to_string(root.join("debootstrap/debootstrap.log")) {
            Ok(log) => error.context(format!(
                "debootstrap's own log ends with:\n{}",
                last_lines(&log, 8)
            )),
            Err(_) => error,
        }
    })?;
    configure(mirror, root, step)
}

/// Writes the root's apt and dpkg configuration.
fn configure(mirror: &Mirror, root: &Path, step: &mut Step) -> Result<()> {
    let proxies = proxies(&step.output(Enclosure::host().command("apt-config").arg("dump"))?);
    let apt = format!(
        "APT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Update::Error-Mode \"any\";\n\
         Acquire::GzipIndexes \"true\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n\
         Acquire::http::Timeout \"20\";\n\
         {proxies}"
    );
    let url = &mirror.url;
    let files = [
        ("etc/apt/apt.conf.d/90tdx", apt.as_str()),
        (
            "etc/apt/sources.list",
            &format!("deb {url} {SUITE} main\ndeb {url} {SUITE}-backports main\n"),
        ),
        // Documentation is half of the files of some packages, and nobody reads it in there.
        (
            "etc/dpkg/dpkg.cfg.d/90tdx",
            "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n\
             path-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*\n",
        ),
        // No package may start a service.
        ("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n"),
    ];
    for (name, text) in files {
        let file = root.join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    fs::set_permissions(
        root.join("usr/sbin/policy-rc.d"),
        Permissions::from_mode(0o755),
    )?;
    Ok(())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
