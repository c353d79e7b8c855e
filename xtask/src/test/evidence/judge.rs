// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Judges evidence that came out of TDs, by the command `tdx`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{ensure, Context as _, Result};

use crate::test::Context;

/// Runs `tdx` on this machine.
pub(super) struct Judge {
    tdx: PathBuf,
    pub(super) folder: tempfile::TempDir,
    platform: PathBuf,
}

impl Judge {
    pub(super) fn new(context: &Context<'_>) -> Result<Self> {
        let verifier = context.verifier()?;
        let td = verifier.write("td.toml", "")?;
        Ok(Self {
            tdx: context.tdx()?.into(),
            folder: tempfile::tempdir()?,
            platform: verifier.platform(&td, &[])?,
        })
    }

    pub(super) fn write(&self, name: &str, contents: &str) -> Result<()> {
        fs::write(self.folder.path().join(name), contents)
            .with_context(|| format!("writing {name}"))
    }

    /// Runs `tdx` with these arguments, checks its status, and gives what it says.
    fn tdx(&self, status: i32, arguments: &str) -> Result<String> {
        let output = Command::new(&self.tdx)
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .with_context(|| format!("running tdx {arguments}"))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(
            output.status.code() == Some(status),
            "`tdx {arguments}` ended with {}, expected {status}, and said:\n{said}",
            output.status
        );
        Ok(said)
    }

    /// Verifies evidence against the policy, and gives what is said.
    fn verify(&self, status: i32, evidence: &str) -> Result<String> {
        let platform = self.platform.display();
        self.tdx(
            status,
            &format!(
                "verify {evidence} --nonce text:mine --policy policy.toml --root {platform}/root.der --collateral {platform}/collateral.json"
            ),
        )
    }

    /// Fails unless the evidence is believed.
    pub(super) fn believe(&self, evidence: &str) -> Result<()> {
        let said = self.verify(0, evidence)?;
        ensure!(
            said.ends_with("The Quote is to be believed.\n") && !said.contains("FAILS"),
            "{evidence}: {said}"
        );
        self.tdx(0, &format!("policy check policy.toml --from {evidence}"))?;
        self.tdx(0, &format!("replay --evidence {evidence}"))?;
        Ok(())
    }

    /// Fails unless the evidence is refused because of exactly those claims, each with all of those words. Returns what was
    /// said.
    pub(super) fn refuse(&self, evidence: &str, wrong: &[(&str, &[&str])]) -> Result<String> {
        let said = self.verify(1, evidence)?;
        let failed: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix("FAILS")?.trim_start().split_once(' '))
            .collect();
        ensure!(
            failed
                .iter()
                .map(|(name, _)| *name)
                .eq(wrong.iter().map(|(name, _)| *name)),
            "{evidence}: expected that exactly {wrong:?} fail, and it was said:\n{said}"
        );
        for ((name, detail), (_, words)) in failed.iter().zip(wrong) {
            for word in *words {
                ensure!(
                    detail.contains(word),
                    "{evidence}: {name} should say {word:?}, and says:\n{detail}"
                );
            }
        }
        self.tdx(1, &format!("policy check policy.toml --from {evidence}"))?;
        Ok(said)
    }

    /// Writes the page of evidence to where the logs are, for people to look at.
    pub(super) fn show(&self, context: &Context<'_>, evidence: &str, status: i32) -> Result<()> {
        let name = evidence.strip_suffix(".json").unwrap_or(evidence);
        let page = context
            .environment
            .paths
            .logs()
            .join(format!("page-of-{name}.html"));
        let said = self.tdx(
            status,
            &format!(
                "replay --evidence {evidence} --policy policy.toml --html {}",
                page.display()
            ),
        )?;
        let page = fs::read_to_string(page)?;
        let (good, bad) = (
            page.contains("class=\"banner good\""),
            page.contains("class=\"banner bad\""),
        );
        ensure!(
            (good, bad) == (status == 0, status != 0),
            "the page of {evidence} does not say what `tdx replay` does:\n{said}"
        );
        Ok(())
    }
}
