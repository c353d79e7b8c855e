// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes and reports that come out of TDs, judged outside of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context as _, Result};
use tempfile::TempDir;

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::host_cargo::{self, Quoting};
use crate::vm::{Driver, Guest};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "quote-verifies",
    about: "dcap-qvl accepts what a TD reads from `outblob`, and refuses it changed, or with a fault in the collateral",
    tier: Tier::Landing,
    run: quote_verifies,
}];

/// What a program does for a Quote, by way of configfs-tsm.
const GET_QUOTE: &str =
    "cd /sys/kernel/config/tsm/report && mkdir mine && cat /root/reportdata >mine/inblob && \
                         cat mine/outblob";

/// The TDs that are asked: the version that their Quotes have, and what is peculiar to them.
const TDS: [(&str, &str); 2] = [
    ("version 4", ""),
    // The TDX module was updated while the TD ran.
    (
        "version 5",
        "[platform]\ntee_tcb_svn2 = \"06010200000000000000000000000000\"\n",
    ),
];

fn quote_verifies(context: &Context<'_>) -> Result<Verdict> {
    let verifier = Verifier::new(context)?;
    let mut seen = Vec::new();
    for (version, config) in TDS {
        let td = verifier.write("td.toml", config)?;
        let reportdata = random_reportdata()?;
        let mut guest = guest(context, &format!("TD for a Quote of {version}"), &td)?;
        guest.files.push(verifier.write("reportdata", reportdata)?);
        let quote = context.succeed(&guest, &["sh", "-c", GET_QUOTE])?;
        let said = verifier.judge(&td, &quote, &reportdata)?;
        ensure!(said.contains(version), "a Quote of {version}: {said}");
        let tally = said.lines().last().unwrap_or_default();
        seen.push(format!("{version}: {tally}"));
    }
    Ok(Verdict::Passed(seen.join("; ")))
}

/// A TD as `cargo xtask vm` boots it, with this driver and this configuration.
fn guest(context: &Context<'_>, name: &str, config: &Path) -> Result<Guest> {
    let td = context.td()?;
    let mut guest = td.guest(context.environment, name);
    if let Some(plugin) = &mut guest.plugin {
        plugin.arguments.push(("config".into(), config.into()));
    }
    guest.driver = Driver::Rust(td.module()?.into());
    Ok(guest)
}

fn random_reportdata() -> Result<[u8; 64]> {
    let mut bytes = [0; 64];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}

/// Programs of this machine that make collateral and verify Quotes, and a folder for them.
struct Verifier {
    programs: Quoting,
    folder: TempDir,
}

impl Verifier {
    fn new(context: &Context<'_>) -> Result<Self> {
        Ok(Self {
            programs: host_cargo::quoting(&context.environment.paths, &context.progress)?,
            folder: tempfile::tempdir()?,
        })
    }

    /// Writes a file, and returns where it is.
    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Fails unless the Quote is accepted with the collateral of the platform of `td`, and refused whenever something is
    /// wrong. Returns what the verifier says of it.
    fn judge(&self, td: &Path, quote: &[u8], reportdata: &[u8; 64]) -> Result<String> {
        let quote = self.write("quote", quote)?;
        let accepts = |platform: &Path, arguments: &[&str]| {
            let mut command = Command::new(&self.programs.verify);
            command.arg(&quote).arg("--platform").arg(platform);
            output(command.args(arguments))
        };
        let refuses = |what: &str, platform: &Path, arguments: &[&str], words: &str| {
            let (accepted, said) = accepts(platform, arguments)?;
            ensure!(
                !accepted && said.contains(words),
                "{what}: the verifier should have said {words:?}, and said this:\n{said}"
            );
            Ok(())
        };

        let platform = self.platform(td, &[])?;
        let digits = to_hex(reportdata);
        let arguments = ["--reportdata", &digits, "--every-byte"];
        let (accepted, said) = accepts(&platform, &arguments)?;
        ensure!(accepted, "the verifier refused the Quote:\n{said}");

        refuses(
            "other REPORTDATA",
            &platform,
            &["--reportdata", &to_hex(&[0; 64])],
            "carries other REPORTDATA",
        )?;
        let other = self.platform(td, &["--seed", &"5e".repeat(32)])?;
        let root = other.join("root.der");
        let root = root.to_str().context("a path in UTF-8")?;
        let arguments = ["--root", root];
        refuses("another root", &platform, &arguments, "root CA CRL")?;
        refuses("another platform", &other, &[], "certificate chain")?;
        let old = self.platform(td, &["--issued", "2026-01-01T00:00:00Z"])?;
        refuses("expired collateral", &old, &[], "CrlExpired")?;
        for (fault, words) in [
            ("revoked = \"pck\"", "CertRevoked"),
            ("outdated = \"platform\"", "OutOfDate (TEST-SA-00001)"),
            ("not_after = \"2026-01-01T00:00:00Z\"", "CertExpired"),
        ] {
            let config = self.write("platform.toml", fault)?;
            let config = config.to_str().context("a path in UTF-8")?;
            let platform = self.platform(td, &["--config", config])?;
            refuses(fault, &platform, &[], words)?;
        }
        Ok(said.trim_end().to_owned())
    }

    /// Has the platform of `td` written into a folder, with what else there is to say of it.
    fn platform(&self, td: &Path, arguments: &[&str]) -> Result<PathBuf> {
        let folder = tempfile::Builder::new()
            .tempdir_in(self.folder.path())?
            .keep();
        let mut command = Command::new(&self.programs.command);
        command.arg("platform").arg("--td").arg(td);
        command.arg("--out").arg(&folder).args(arguments);
        let (succeeded, said) = output(&mut command)?;
        ensure!(succeeded, "tdx-quoting platform: {said}");
        Ok(folder)
    }
}

/// Whether a program of this machine succeeded, and what it said.
fn output(command: &mut Command) -> Result<(bool, String)> {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", Path::new(&program).display()))?;
    let text = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
