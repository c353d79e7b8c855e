// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where everything is: the project's source, and what xtask makes under `target/tdx/`.
//!
//! ```text
//! target/tdx/
//!   root/                 the Debian root: tool chain and QEMU
//!   firmware/             what boots from firmware need: TDVF, boot loaders, tools
//!   kernels/<release>/    a kernel: vmlinuz, image/ (its modules), tree/ (the prepared source)
//!   fuzz/                 what fuzzing adds to the corpora, and what it finds
//!   build/                what is built from this project
//!   logs/                 one log per step, of the last run; consoles of guests that failed, or complained
//!   resolved.toml         which packages, versions and mirror were chosen
//!   cache/                downloads of an unfinished set-up
//!   temporary/            what somebody needs for a moment
//!   trash/                what is being deleted
//! ```

use std::path::{Path, PathBuf};

use anyhow::{bail, Result};

/// The places on disk that xtask works with.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    project: PathBuf,
    work: PathBuf,
}

impl Paths {
    /// Finds the project that this xtask was built from.
    ///
    /// # Errors
    /// When the source has been moved away since, or make cannot deal with its path.
    pub(crate) fn find() -> Result<Self> {
        let project = match Path::new(env!("CARGO_MANIFEST_DIR")).parent() {
            Some(project) if project.join("Cargo.toml").is_file() => project.canonicalize()?,
            _ => bail!(
                "the project that this xtask was built from is not at {} any more; start xtask as `cargo xtask` in the \
                 project's folder, which builds it anew",
                env!("CARGO_MANIFEST_DIR")
            ),
        };
        Self::of(project)
    }

    /// Those of the project in that folder.
    ///
    /// # Errors
    /// When make cannot deal with its path.
    pub(crate) fn of(project: PathBuf) -> Result<Self> {
        // make and debootstrap take a folder with a space for two.
        let text = project.to_str().unwrap_or(" ");
        if let Some(found) = text
            .chars()
            .find(|c| c.is_whitespace() || matches!(c, ':' | '"' | '\'' | '$' | '#'))
        {
            bail!(
                "the project's path {} contains {found:?} (or is not UTF-8), which make cannot deal with; move it",
                project.display()
            );
        }
        let work = project.join("target/tdx");
        Ok(Self { project, work })
    }

    /// The project's source.
    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// `target/tdx`, which everything that xtask makes is under.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// The Debian root.
    pub(crate) fn root(&self) -> PathBuf {
        self.work.join("root")
    }

    /// The folder of the kernel with this release string, as `uname -r` gives it.
    pub(crate) fn kernel(&self, release: &str) -> PathBuf {
        self.work.join("kernels").join(release)
    }

    /// What boots from firmware need.
    pub(crate) fn firmware(&self) -> PathBuf {
        self.work.join("firmware")
    }

    /// What is built from this project, by kind.
    pub(crate) fn build(&self, kind: &str) -> PathBuf {
        self.work.join("build").join(kind)
    }

    /// One log per step.
    pub(crate) fn logs(&self) -> PathBuf {
        self.work.join("logs")
    }

    /// The record of what the set-up resolved.
    pub(crate) fn record(&self) -> PathBuf {
        self.work.join("resolved.toml")
    }

    /// Downloads that an unfinished set-up keeps for the next try.
    pub(crate) fn cache(&self, kind: &str) -> PathBuf {
        self.work.join("cache").join(kind)
    }

    /// What somebody needs for a moment.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.work.join("temporary")
    }

    /// Where folders go to be deleted.
    pub(crate) fn trash(&self) -> PathBuf {
        self.work.join("trash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_path_that_make_would_split() {
        let error = Paths::of(PathBuf::from("/home/a b/tdx"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("' '"), "{error}");
        assert!(Paths::of(PathBuf::from("/home/a-b/tdx+1~")).is_ok());
    }
}
