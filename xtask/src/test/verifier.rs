// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Judges Quotes that came out of TDs: collateral by the command `tdx-quoting`, verification by the crate `dcap-qvl`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context as _, Result};
use tempfile::TempDir;

use crate::artefacts::host_cargo::{self, Quoting};
use crate::paths::Paths;
use crate::progress::Progress;

/// Programs of this machine that make collateral and verify Quotes, and a folder for them.
pub(super) struct Verifier {
    programs: Quoting,
    folder: TempDir,
}

impl Verifier {
    /// Builds the programs.
    pub(super) fn new(paths: &Paths, progress: &Progress) -> Result<Self> {
        Ok(Self {
            programs: host_cargo::quoting(paths, progress)?,
            folder: tempfile::tempdir()?,
        })
    }

    /// The command `tdx-quoting`.
    pub(super) fn command(&self) -> &Path {
        &self.programs.command
    }

    /// Writes a file for a guest or a program, and returns where it is.
    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Fails unless the Quote, of a TD with the configuration `td`, is accepted and carries `reportdata`. Returns what the
    /// verifier says of it.
    pub(super) fn accept(&self, td: &Path, quote: &[u8], reportdata: &[u8; 64]) -> Result<String> {
        let quote = self.write("quote", quote)?;
        let platform = self.platform(td, &[])?;
        let (accepted, said) = self.verify(
            &quote,
            &platform,
            &["--reportdata", &hex::encode(reportdata)],
        )?;
        ensure!(accepted, "the verifier refused the Quote:\n{said}");
        Ok(said)
    }

    /// As [`Verifier::accept`], and fails unless the Quote is refused whenever something is wrong.
    pub(super) fn judge(&self, td: &Path, quote: &[u8], reportdata: &[u8; 64]) -> Result<String> {
        let quote = self.write("quote", quote)?;
        let platform = self.platform(td, &[])?;
        let digits = hex::encode(reportdata);
        let arguments = ["--reportdata", &digits, "--every-byte"];
        let (accepted, said) = self.verify(&quote, &platform, &arguments)?;
        ensure!(accepted, "the verifier refused the Quote:\n{said}");

        let refuses = |what: &str, platform: &Path, arguments: &[&str], words: &str| {
            let (accepted, said) = self.verify(&quote, platform, arguments)?;
            ensure!(
                !accepted && said.contains(words),
                "{what}: the verifier should have said {words:?}, and said this:\n{said}"
            );
            Ok(())
        };
        refuses(
            "other REPORTDATA",
            &platform,
            &["--reportdata", &hex::encode([0; 64])],
            "carries other REPORTDATA",
        )?;
        let other = self.platform(td, &["--seed", &"5e".repeat(32)])?;
        let root = other.join("root.der");
        let root = root.to_str().context("a path in UTF-8")?;
        refuses("another root", &platform, &["--root", root], "root CA CRL")?;
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
        Ok(said)
    }

    /// Whether the verifier accepts a Quote with the collateral in the folder `platform`, and what it says.
    fn verify(&self, quote: &Path, platform: &Path, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = Command::new(&self.programs.verify);
        command.arg(quote).arg("--platform").arg(platform);
        output(command.args(arguments))
    }

    /// Has the platform of `td` written into a folder, with what else there is to say of it.
    pub(super) fn platform(&self, td: &Path, arguments: &[&str]) -> Result<PathBuf> {
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

/// REPORTDATA that nobody else asks for.
pub(super) fn random_reportdata() -> Result<[u8; 64]> {
    let mut bytes = [0; 64];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}
