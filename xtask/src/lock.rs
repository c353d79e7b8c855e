// SPDX-License-Identifier: Apache-2.0 OR MIT
//! File locks between two xtasks that run at once. They end with the process, however it ends.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Waits until nobody else holds the lock, saying on standard error that it waits and `for_what`.
    pub(crate) fn exclusive(path: &Path, for_what: &str) -> Result<Self> {
        Self::take(
            path,
            FlockArg::LockExclusiveNonblock,
            FlockArg::LockExclusive,
            for_what,
        )
    }

    /// Waits until nobody holds the lock exclusively.
    pub(crate) fn shared(path: &Path, for_what: &str) -> Result<Self> {
        Self::take(
            path,
            FlockArg::LockSharedNonblock,
            FlockArg::LockShared,
            for_what,
        )
    }

    fn take(path: &Path, at_once: FlockArg, waiting: FlockArg, for_what: &str) -> Result<Self> {
        let what = || format!("locking {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(what)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(what)?;
        let file = match Flock::lock(file, at_once) {
            Ok(file) => file,
            Err((file, Errno::EWOULDBLOCK)) => {
                eprintln!("waiting for another xtask {for_what} …");
                Flock::lock(file, waiting)
                    .map_err(|(_, errno)| errno)
                    .with_context(what)?
            }
            Err((_, errno)) => return Err(errno).with_context(what),
        };
        Ok(Self { _file: file })
    }
}
