// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernels' packages in a Debian archive, read from its package index (deb822, as deb-control(5) has it).

use std::cmp::Ordering;
use std::io::BufRead;

use anyhow::{Context, Result};

/// A binary package of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// The packages that it depends on, first alternatives only, with the version if exactly one will do.
    pub(super) depends: Vec<(String, Option<String>)>,
    /// Bytes to download.
    pub(super) size: u64,
}

/// All packages of one or more indices whose names begin with `linux-`.
#[derive(Debug, Default)]
pub(super) struct Archive {
    packages: Vec<Package>,
}

impl Archive {
    /// Adds the kernels' packages of an index.
    pub(super) fn add_index(&mut self, index: &mut dyn BufRead) -> Result<()> {
        let mut stanza = String::new();
        loop {
            let start = stanza.len();
            let read = index
                .read_line(&mut stanza)
                .context("reading a package index")?;
            if read == 0 || stanza[start..].trim().is_empty() {
                if stanza.starts_with("Package: linux-") {
                    self.packages.extend(package(&stanza));
                }
                stanza.clear();
            }
            if read == 0 {
                return Ok(());
            }
        }
    }

    /// All packages, in the order of their indices.
    pub(super) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter()
    }

    /// The package of this name and version.
    pub(super) fn get(&self, name: &str, version: &str) -> Option<&Package> {
        self.packages
            .iter()
            .find(|package| package.name == name && package.version == version)
    }

    /// The newest package of this name.
    pub(super) fn newest(&self, name: &str) -> Option<&Package> {
        let named = self.packages.iter().filter(|package| package.name == name);
        named.max_by(|one, other| compare(&one.version, &other.version))
    }
}

/// Orders Debian package versions, as deb-version(7) does.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    deb_version::compare_versions(one, other)
}

fn package(stanza: &str) -> Option<Package> {
    let field = |name: &str| {
        let mut lines = stanza.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    Some(Package {
        name: field("Package")?.to_owned(),
        version: field("Version")?.to_owned(),
        depends: field("Depends").map(depends).unwrap_or_default(),
        size: field("Size")?.parse().ok()?,
    })
}

fn depends(field: &str) -> Vec<(String, Option<String>)> {
    field
        .split(',')
        .map(|alternatives| {
            let first = alternatives.split('|').next().unwrap_or_default().trim();
            let (name, restriction) = first.split_once(' ').unwrap_or((first, ""));
            let exactly = restriction
                .trim()
                .strip_prefix("(=")
                .and_then(|rest| rest.strip_suffix(')'));
            (
                name.split(':').next().unwrap_or_default().to_owned(),
                exactly.map(|version| version.trim().to_owned()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stanza_of_the_real_index() {
        let mut archive = Archive::default();
        archive
            .add_index(&mut include_bytes!("testdata/backports.index").as_slice())
            .unwrap();
        let image = archive
            .newest("linux-image-7.2.12+deb13-cloud-amd64")
            .unwrap();
        assert_eq!(image.version, "7.2.12-1~bpo13+1");
        assert_eq!(image.depends[0], ("dracut".into(), None));
        let modules = image.depends.last().unwrap();
        assert_eq!(modules.0, "linux-modules-7.2.12+deb13-cloud-amd64");
        assert_eq!(modules.1.as_deref(), Some("7.2.12-1~bpo13+1"));
    }

    #[test]
    fn orders_versions_as_dpkg_does() {
        assert_eq!(
            compare("7.2.12-1~bpo13+1", "7.2.9-1~bpo13+1"),
            Ordering::Greater
        );
        assert_eq!(compare("7.3~rc2-1~exp1", "7.3-1"), Ordering::Less);
        assert_eq!(compare("1:1.0", "7.3"), Ordering::Greater);
    }

    #[test]
    fn leaves_other_packages_out() {
        let mut archive = Archive::default();
        archive
            .add_index(
                &mut "Package: bash\nVersion: 1\nSize: 1\n\nPackage: linux-x\nVersion: 2\nSize: 3"
                    .as_bytes(),
            )
            .unwrap();
        assert_eq!(
            archive
                .packages()
                .map(|package| package.name.as_str())
                .collect::<Vec<_>>(),
            ["linux-x"]
        );
    }
}
