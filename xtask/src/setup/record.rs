// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `target/tdx/resolved.toml`: what the set-up resolved, for its second run and for whoever wants to know.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::selection::{names, Flavour};

/// The whole record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The kernels of which `--kernel` asks for none, by flavour.
    #[serde(default)]
    pub(super) default_kernels: BTreeMap<Flavour, String>,
    /// The Debian root, once it is whole.
    pub(super) root: Option<RootRecord>,
    /// What boots from firmware need, once it is whole.
    pub(super) firmware: Option<FirmwareRecord>,
    /// The kernels that are whole, by release.
    #[serde(default)]
    pub(super) kernels: BTreeMap<String, KernelRecord>,
}

/// The Debian root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RootRecord {
    /// The step of the set-up's own history; another one makes the root anew.
    pub(super) recipe: u32,
    pub(super) mirror: String,
    pub(super) suite: String,
    /// When it was resolved, UTC.
    pub(super) date: String,
    /// What was asked for.
    pub(super) requested: Vec<String>,
    /// Every installed package and its version.
    pub(super) packages: BTreeMap<String, String>,
}

/// One kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KernelRecord {
    /// As [`RootRecord::recipe`].
    pub(super) recipe: u32,
    pub(super) flavour: Flavour,
    pub(super) version: String,
    /// Whether its image is the signed one.
    pub(super) signed: bool,
    /// Whether it takes modules in Rust.
    pub(super) rust: bool,
    /// The command of the C compiler that built it.
    pub(super) compiler: String,
    /// When it was resolved, UTC.
    pub(super) date: String,
    pub(super) packages: Vec<String>,
    /// The versions of the packages that its tree was prepared with.
    pub(super) tools: BTreeMap<String, String>,
}

/// The firmware, boot loaders and tools for boots from firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FirmwareRecord {
    /// As [`RootRecord::recipe`].
    pub(super) recipe: u32,
    /// The date of the root that the tools fit.
    pub(super) root: String,
    /// The suite that the firmware is from.
    pub(super) suite: String,
    /// The version of the firmware's package.
    pub(super) version: String,
    /// When it was resolved, UTC.
    pub(super) date: String,
    /// Every package and its version.
    pub(super) packages: BTreeMap<String, String>,
}

impl Record {
    /// Reads the record, or an empty one if there is none. A record that cannot be understood counts as none: everything
    /// is then resolved anew.
    pub(super) fn load(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(toml::from_str(&text).unwrap_or_else(|error| {
                eprintln!(
                    "{} is not understood, and will be written anew: {}",
                    path.display(),
                    error.message()
                );
                Self::default()
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Writes the record, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let what = || format!("writing {}", path.display());
        let text = format!(
            "# What xtask's set-up resolved. `cargo xtask setup --refresh` resolves anew.\n\n{}",
            toml::to_string(self)?
        );
        let partial = path.with_extension("toml.partial");
        fs::write(&partial, text).with_context(what)?;
        fs::rename(&partial, path).with_context(what)
    }

    /// The kernel that is meant: the one that `wanted` names, or the flavour's default.
    pub(super) fn kernel(
        &self,
        wanted: Option<&str>,
        flavour: Flavour,
    ) -> Option<(&str, &KernelRecord)> {
        let of_flavour = self
            .kernels
            .iter()
            .filter(|(_, kernel)| kernel.flavour == flavour);
        let mut matching = of_flavour.filter(|(release, kernel)| match wanted {
            Some(wanted) => names(wanted, release, &kernel.version),
            None => self.default_kernels.get(&flavour) == Some(release),
        });
        matching
            .next()
            .map(|(release, kernel)| (release.as_str(), kernel))
    }
}

/// The time as the record has it.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let kernel = KernelRecord {
            recipe: 1,
            flavour: Flavour::Cloud,
            version: "7.2.12-1~bpo13+1".into(),
            signed: true,
            rust: true,
            compiler: "x86_64-linux-gnu-gcc-14".into(),
            date: now(),
            packages: vec!["linux-image-7.2.12+deb13-cloud-amd64=7.2.12-1~bpo13+1".into()],
            tools: [("rustc".into(), "1.85.0+dfsg3-1".into())].into(),
        };
        let root = RootRecord {
            recipe: 1,
            mirror: "http://mirror.example/debian".into(),
            suite: "trixie".into(),
            date: now(),
            requested: vec!["gcc".into()],
            packages: [("libc6:amd64".into(), "2.41-12".into())].into(),
        };
        Record {
            firmware: None,
            default_kernels: [(Flavour::Cloud, "7.2.12+deb13-cloud-amd64".into())].into(),
            root: Some(root),
            kernels: [("7.2.12+deb13-cloud-amd64".into(), kernel)].into(),
        }
    }

    #[test]
    fn survives_being_written_and_read() {
        let record = record();
        assert_eq!(
            toml::from_str::<Record>(&toml::to_string(&record).unwrap()).unwrap(),
            record
        );
    }

    #[test]
    fn finds_a_kernel_by_name_or_as_the_default() {
        let record = record();
        assert!(record.kernel(None, Flavour::Cloud).is_some());
        assert!(record.kernel(Some("7.2.12"), Flavour::Cloud).is_some());
        assert!(record.kernel(Some("7.2.11"), Flavour::Cloud).is_none());
        assert!(record.kernel(None, Flavour::Generic).is_none());
    }
}
