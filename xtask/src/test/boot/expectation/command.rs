// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same expectation by the command `tdx measure`, from files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context as _, Result};
use serde::Deserialize;

use super::Expectation;
use crate::test::boot::evidence::{Evidence, LOG, REPORT, SMBIOS};
use crate::vm::Start;

/// Linux shows a variable's attributes in front of its data: it stays, and boot and runtime services have it.
const ATTRIBUTES: [u8; 4] = 7_u32.to_le_bytes();

/// Whose variables boot options are (UEFI specification, "EFI_GLOBAL_VARIABLE").
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// What `tdx measure --json` says, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Said {
    mrtd: String,
    rtmr: [Register; 4],
    holds: bool,
}

#[derive(Debug, Deserialize)]
struct Register {
    value: Option<String>,
}

/// A folder with files, and options that name them.
struct Files {
    folder: tempfile::TempDir,
    options: Vec<PathBuf>,
}

impl Files {
    /// Adds a file, and gives its path.
    fn write(&self, name: &str, contents: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent)?;
        fs::write(&path, contents).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Adds a file, and an option that names it.
    fn give(&mut self, option: &str, contents: &[u8]) -> Result<()> {
        let path = self.write(option.trim_start_matches('-'), contents)?;
        self.options.extend([option.into(), path]);
        Ok(())
    }

    /// Adds an option that names a folder, and files to that.
    fn give_folder(
        &mut self,
        option: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<()> {
        let name = option.trim_start_matches('-');
        for (file, contents) in files {
            self.write(&format!("{name}/{file}"), &contents)?;
        }
        self.options
            .extend([option.into(), self.folder.path().join(name)]);
        Ok(())
    }
}

impl Expectation {
    /// Checks that `tdx measure`, given the same files, expects what the TD reports and its log has.
    pub(in crate::test::boot) fn check_command(
        &self,
        tdx: &Path,
        evidence: &Evidence,
    ) -> Result<()> {
        let files = self.files(evidence)?;
        let output = Command::new(tdx)
            .args(["--json", "measure", "--memory"])
            .arg(self.memory.to_string())
            .args(&files.options)
            .output()
            .context("running tdx measure")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let context = || {
            let errors = String::from_utf8_lossy(&output.stderr);
            format!(
                "tdx measure ended with {} and said:\n{text}{errors}",
                output.status
            )
        };
        ensure!(output.status.success(), context());
        let said: Said = serde_json::from_str(&text).with_context(context)?;
        ensure!(said.holds, context());
        let mut expected = vec![said.mrtd];
        for register in said.rtmr {
            expected.push(register.value.with_context(context)?);
        }
        let found = evidence.registers()?.map(|digest| digest.to_string());
        ensure!(expected == found, "the TD has {found:?}; {}", context());
        Ok(())
    }

    fn files(&self, evidence: &Evidence) -> Result<Files> {
        let mut files = Files {
            folder: tempfile::tempdir()?,
            options: Vec::new(),
        };
        files.give("--firmware", &self.firmware)?;
        files.give("--smbios", evidence.file(SMBIOS)?)?;
        files.give("--ccel", evidence.file(LOG)?)?;
        files.give("--against", evidence.file(REPORT)?)?;
        let fw_cfg = [
            ("bootorder", &self.boot_order),
            ("etc/table-loader", &self.table_loader),
            ("etc/acpi/rsdp", &self.rsdp),
            ("etc/acpi/tables", &self.tables),
        ];
        let fw_cfg = fw_cfg.map(|(name, contents)| (format!("{name}/raw"), contents.clone()));
        files.give_folder("--fw-cfg", fw_cfg)?;
        let variables = self.options.iter().map(|(name, data)| {
            let shown = [&ATTRIBUTES, &data[..]].concat();
            (format!("{name}-{GLOBAL}"), shown)
        });
        files.give_folder("--variables", variables)?;
        if !self.disk.is_empty() {
            files.give("--disk", &self.disk)?;
        }
        match (&self.start, &self.loaders[..]) {
            (Start::UnifiedImage(..), [image]) => {
                files.give("--uki", image)?;
                return Ok(files);
            }
            (Start::Grub(..), [shim, grub]) => {
                files.give("--shim", shim)?;
                files.give("--grub", grub)?;
            }
            _ => {}
        }
        files.give("--kernel", &self.kernel)?;
        files.give("--initrd", &self.initrd)?;
        let line = self.command_line().into();
        files.options.extend(["--command-line".into(), line]);
        Ok(files)
    }
}
