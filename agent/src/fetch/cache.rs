// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Collateral that was fetched before.

use super::{PlatformKind, Service};
use crate::verify::Collateral;
use crate::{Error, Step};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// A folder of collateral that was fetched before.
///
/// What is in it is verified as if it had just been fetched; whoever writes to it can at most keep a newer one away.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    age: Duration,
}

impl Cache {
    /// A cache in `folder`, which need not exist, of what is not older than `age`.
    ///
    /// Collateral says itself how long it is valid, but what is revoked meanwhile is in a newer one only.
    pub fn new(folder: &Path, age: Duration) -> Self {
        Self {
            folder: folder.to_owned(),
            age,
        }
    }

    /// The collateral for such platforms from the cache, or from the service, if there is none that is young enough.
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::Collateral`].
    pub fn collateral(&self, service: &Service, kind: &PlatformKind) -> Result<Collateral, Error> {
        let name = format!("{}|{}|{}", service.address(), kind.fmspc, kind.ca);
        let path = self
            .folder
            .join(format!("{}.json", hex::encode(&Sha256::digest(name)[..16])));
        if let Some(collateral) = self.young(&path) {
            return Ok(collateral);
        }
        let collateral = service.collateral(kind)?;
        self.keep(&path, &collateral).map_err(|source| Error::Io {
            step: Step::Collateral,
            path,
            source,
        })?;
        Ok(collateral)
    }

    fn young(&self, path: &Path) -> Option<Collateral> {
        let modified = fs::metadata(path).ok()?.modified().ok()?;
        // A time in the future is that of another clock.
        let age = SystemTime::now().duration_since(modified).ok()?;
        if age > self.age {
            return None;
        }
        Collateral::from_json(&fs::read(path).ok()?).ok()
    }

    /// Writes all of it, or nothing.
    fn keep(&self, path: &Path, collateral: &Collateral) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(collateral.to_json().as_bytes())?;
        file.persist(path)?;
        Ok(())
    }
}
