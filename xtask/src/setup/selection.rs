// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which of the archive's kernels to use.
//!
//! A kernel is of use when the archive has its image, its headers (for the configuration and the symbols' versions) and its
//! source at one version. Debian uploads these separately, so that the newest source is often ahead of the newest image.

use std::fmt;

use anyhow::{anyhow, Result};
use serde::{Deserialize, Serialize};

use super::archive::{compare, Archive};

/// What the release string of the debug flavour has behind the version.
pub(super) const DEBUG: &str = "-tdx-debug";

/// The configurations of a kernel that xtask can boot: Debian's, and one of its own.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    clap::ValueEnum,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Flavour {
    /// For virtual machines: the small one
    #[default]
    Cloud,
    /// For all machines (linux-image-amd64)
    Generic,
    /// Debian's source, built here with all that finds mistakes in a driver: KASAN, lockdep, kmemleak
    Debug,
}

impl Flavour {
    /// All of them.
    const ALL: [Self; 3] = [Self::Cloud, Self::Generic, Self::Debug];

    /// What the release string has behind the version.
    fn suffix(self) -> &'static str {
        match self {
            Self::Cloud => "-cloud-amd64",
            Self::Generic => "-amd64",
            Self::Debug => DEBUG,
        }
    }

    /// The flavour that Debian builds at the version which this one has.
    fn of_debian(self) -> Self {
        match self {
            Self::Debug => Self::Cloud,
            debian => debian,
        }
    }

    /// The version part of a release string of this flavour.
    fn version_of(self, release: &str) -> Option<&str> {
        let version = release.strip_suffix(self.suffix())?;
        let other = version.ends_with("-cloud") || version.ends_with("-rt");
        (version.starts_with(|c: char| c.is_ascii_digit()) && !other).then_some(version)
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cloud => "cloud",
            Self::Generic => "generic",
            Self::Debug => "debug",
        })
    }
}

/// The packages of a kernel that the archive has whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// As `uname -r` prints it.
    pub(super) release: String,
    pub(super) flavour: Flavour,
    /// Of all its packages.
    pub(super) version: String,
    /// The image package and those that it is split into.
    pub(super) image: Vec<String>,
    /// Whether the image is the signed one that is installed by default. It comes last, some days after the others.
    pub(super) signed: bool,
    /// The headers package, where the configuration comes from it.
    pub(super) headers: Option<String>,
    pub(super) source: String,
    /// Bytes to download.
    pub(super) size: u64,
}

impl Choice {
    /// The kernel to use when none is asked for: the one that the flavour's metapackage names, else the newest that is whole
    /// and signed.
    pub(super) fn newest(archive: &Archive, flavour: Flavour) -> Result<Self> {
        if flavour == Flavour::Debug {
            return Self::newest(archive, flavour.of_debian()).map(Self::for_debugging);
        }
        let current = archive.newest(&format!("linux-image{}", flavour.suffix()));
        let named = current.and_then(|meta| {
            meta.depends
                .iter()
                .find_map(|(name, _)| name.strip_prefix("linux-image-"))
        });
        let choices: Vec<_> = Self::whole(archive, flavour)
            .into_iter()
            .filter(|choice| choice.signed)
            .collect();
        let preferred = choices
            .iter()
            .position(|choice| Some(choice.release.as_str()) == named)
            .unwrap_or(0);
        choices.into_iter().nth(preferred).ok_or_else(|| {
            anyhow!(
                "the archive has no {flavour} kernel of use{}",
                listing(archive, flavour)
            )
        })
    }

    /// The kernel that is `wanted` by release, by the part of it before the flavour, or by package or upstream version.
    /// An unsigned image will do.
    pub(super) fn named(archive: &Archive, wanted: &str, flavour: Flavour) -> Result<Self> {
        if flavour == Flavour::Debug {
            let wanted = flavour.version_of(wanted).unwrap_or(wanted);
            return Self::named(archive, wanted, flavour.of_debian()).map(Self::for_debugging);
        }
        let choices = Self::whole(archive, flavour);
        choices
            .into_iter()
            .find(|choice| names(wanted, &choice.release, &choice.version))
            .ok_or_else(|| {
                anyhow!(
                    "the archive has no {flavour} kernel {wanted} of use{}",
                    listing(archive, flavour)
                )
            })
    }

    /// The kernel that is built for debugging from the source of this one.
    fn for_debugging(self) -> Self {
        Self {
            release: format!("{}{DEBUG}", upstream(&self.version)),
            flavour: Flavour::Debug,
            image: Vec::new(),
            headers: None,
            ..self
        }
    }

    /// All kernels that are whole, newest first.
    fn whole(archive: &Archive, flavour: Flavour) -> Vec<Self> {
        let kernels = kernels(archive, flavour).into_iter();
        kernels
            .filter_map(|(release, version)| {
                Self::complete(archive, flavour, release, version).ok()
            })
            .collect()
    }

    /// Completes a kernel, or says what of it the archive lacks.
    fn complete(
        archive: &Archive,
        flavour: Flavour,
        release: &str,
        version: &str,
    ) -> Result<Self, String> {
        let find = |name: String| {
            archive
                .get(&name, version)
                .ok_or(format!("no {name} {version}"))
        };
        let headers = find(format!("linux-headers-{release}"))?;
        let source = find(format!("linux-source-{}", series(version)))?;
        let image = find(format!("linux-image-{release}"));
        let signed = image.is_ok();
        let mut parts = match (image, find(format!("linux-binary-unsigned-{release}"))) {
            (Ok(image), _) => vec![image],
            (Err(_), Ok(image)) => vec![image, find(format!("linux-modules-{release}"))?],
            (Err(lack), Err(_)) => return Err(lack),
        };
        // The image may be split. The parts carry the release in their names too, and depend on each other.
        let mut next = 0;
        while let Some(part) = parts.get(next) {
            let needed = part
                .depends
                .iter()
                .filter(|(name, _)| name.starts_with("linux-") && name.ends_with(release));
            for (name, wanted) in needed {
                if parts.iter().all(|part| part.name != *name) {
                    let wanted = wanted.as_deref().unwrap_or(version);
                    parts.push(
                        archive
                            .get(name, wanted)
                            .ok_or(format!("no {name} {wanted}"))?,
                    );
                }
            }
            next += 1;
        }
        Ok(Self {
            release: release.into(),
            flavour,
            version: version.into(),
            signed,
            size: parts.iter().map(|part| part.size).sum::<u64>() + headers.size + source.size,
            image: parts.into_iter().map(|part| part.name.clone()).collect(),
            headers: Some(headers.name.clone()),
            source: source.name.clone(),
        })
    }

    /// All packages, as `apt-get` takes them.
    pub(super) fn packages(&self) -> impl Iterator<Item = String> + '_ {
        let names = self.image.iter().chain(&self.headers).chain([&self.source]);
        names.map(|name| format!("{name}={}", self.version))
    }
}

/// Whether a kernel is meant by `wanted`: its release, that without the flavour, its package's or its upstream version.
pub(super) fn names(wanted: &str, release: &str, version: &str) -> bool {
    let short = Flavour::ALL
        .into_iter()
        .find_map(|flavour| flavour.version_of(release));
    wanted == release || Some(wanted) == short || wanted == version || wanted == upstream(version)
}

/// The flavour that a full release string names.
pub(super) fn flavour_of(release: &str) -> Option<Flavour> {
    Flavour::ALL
        .into_iter()
        .find(|flavour| flavour.version_of(release).is_some())
}

/// Release and version of every kernel of which the archive has the image or the headers, newest first.
fn kernels(archive: &Archive, flavour: Flavour) -> Vec<(&str, &str)> {
    let mut kernels: Vec<(&str, &str)> = Vec::new();
    for package in archive.packages() {
        let name = package.name.as_str();
        let Some(release) = name
            .strip_prefix("linux-image-")
            .or_else(|| name.strip_prefix("linux-headers-"))
        else {
            continue;
        };
        let kernel = (release, package.version.as_str());
        if flavour.version_of(release).is_some() && !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    kernels.sort_by(|one, other| compare(other.1, one.1));
    kernels
}

/// `7.2.12` of `7.2.12-1~bpo13+1`.
fn upstream(version: &str) -> &str {
    version
        .rsplit_once('-')
        .map_or(version, |(upstream, _)| upstream)
}

/// `7.2` of `7.2.12-1~bpo13+1` and of `7.2~rc3-1~exp1`.
fn series(version: &str) -> String {
    let numbers = upstream(version).split('~').next().unwrap_or_default();
    numbers.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// What the archive has of the flavour, for an error's end: all that is of use, and the newest that is not.
fn listing(archive: &Archive, flavour: Flavour) -> String {
    const INCOMPLETE: usize = 4;
    let mut text = ", which takes image, headers and source at one version; it has:".to_owned();
    let mut incomplete = 0;
    for (release, version) in kernels(archive, flavour) {
        let state = match Choice::complete(archive, flavour, release, version) {
            Ok(choice) if choice.signed => "whole".into(),
            Ok(_) => format!("no signed image yet; `--kernel {version}` takes the unsigned one"),
            Err(lack) => {
                incomplete += 1;
                if incomplete > INCOMPLETE {
                    continue;
                }
                lack
            }
        };
        text += &format!("\n    {release} ({version}): {state}");
    }
    if incomplete > INCOMPLETE {
        text += &format!(
            "\n    and {} older ones that are not whole",
            incomplete - INCOMPLETE
        );
    }
    text
}

#[cfg(test)]
mod tests;
