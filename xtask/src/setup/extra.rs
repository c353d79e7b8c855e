// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packages that few commands need, added to the Debian root when one of those is started for the first time.
//!
//! They are no part of what every root has, so that asking for another one does not make all roots anew. They are installed
//! while other programs may run in the root, as on any Debian that is in use. The root's record has them once they are whole.

use std::path::Path;

use anyhow::{Context, Result};

use super::record::{Record, RootRecord};
use super::tool_chain::{install_more, installed, online};
use super::Environment;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::{Progress, Step};

/// clang and what belongs to it, which only a kernel needs that is built here.
pub(super) const LLVM: [&str; 3] = ["clang", "lld:amd64", "llvm"];

/// Sees to it that the root has these packages. They are named as `dpkg-query` prints them: those of another architecture
/// with it, as `libc6:arm64`.
///
/// # Errors
/// Says which step failed, where its log is, and what can be done.
pub(crate) fn packages(environment: &Environment, packages: &[&str]) -> Result<()> {
    let paths = &environment.paths;
    if missing(&Record::load(&paths.record())?, packages).is_empty() {
        return Ok(());
    }
    let _lock = Lock::exclusive(&paths.work().join("setup.lock"), "that is setting up here")?;
    let mut record = Record::load(&paths.record())?;
    // Another xtask may have done it while this one waited.
    let missing = missing(&record, packages);
    if missing.is_empty() {
        return Ok(());
    }
    let progress = Progress::new(paths, 1);
    let result = install(paths, &missing, &progress, &mut record);
    result.map_err(|error| super::explain(error, paths))
}

/// Of the packages, those that the record does not have.
pub(super) fn missing<'a>(record: &Record, packages: &[&'a str]) -> Vec<&'a str> {
    let has = |root: &RootRecord, name: &str| root.packages.contains_key(name);
    let mut missing = packages.to_vec();
    missing.retain(|name| !record.root.as_ref().is_some_and(|root| has(root, name)));
    missing
}

fn install(
    paths: &Paths,
    packages: &[&str],
    progress: &Progress,
    record: &mut Record,
) -> Result<()> {
    let mut step = progress.step(&format!("packages {}", packages.join(", ")))?;
    update(paths, &paths.root(), packages, &mut step)?;
    add(paths, packages, record, &mut step)?;
    step.done();
    Ok(())
}

/// Adds packages that the root's lists have to the root and to its record.
pub(super) fn add(
    paths: &Paths,
    packages: &[&str],
    record: &mut Record,
    step: &mut Step,
) -> Result<()> {
    install_more(paths, &paths.root(), packages, step)?;
    let installed = installed(&paths.root(), step)?;
    let root = record.root.as_mut();
    root.context("there is no record of the root")?.packages = installed;
    record.save(&paths.record())
}

/// Brings the package lists up to date, with those of the architectures that are asked for.
fn update(paths: &Paths, root: &Path, packages: &[&str], step: &mut Step) -> Result<()> {
    let online = online(paths, root)?;
    for name in packages {
        if let Some((_, architecture)) = name.split_once(':') {
            step.run(
                online
                    .command("dpkg")
                    .args(["--add-architecture", architecture]),
            )?;
        }
    }
    step.run(online.command("apt-get").args(["-q", "update"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_root_lacks_is_missing() {
        let root = RootRecord {
            packages: [
                ("gcc".into(), "1".into()),
                ("libc6:arm64".into(), "1".into()),
            ]
            .into(),
            ..RootRecord::default()
        };
        let mut record = Record::default();
        assert_eq!(missing(&record, &["gcc"]), ["gcc"]);
        record.root = Some(root);
        assert_eq!(missing(&record, &["gcc", "g++", "libc6:arm64"]), ["g++"]);
    }
}
