// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Space on disk: looked at before a long step, and named when it ran out all the same.

use std::path::Path;

use anyhow::{bail, Context, Result};
use indicatif::BinaryBytes;
use nix::sys::statvfs::statvfs;

/// Bytes that may still be written to the file system of `folder`, which exists.
pub(crate) fn free(folder: &Path) -> Result<u64> {
    let found = statvfs(folder)
        .with_context(|| format!("asking for the free space at {}", folder.display()))?;
    Ok(found
        .blocks_available()
        .saturating_mul(found.fragment_size()))
}

/// Fails if fewer than `needed` bytes are free at `folder`.
pub(crate) fn require(folder: &Path, needed: u64, what: &str) -> Result<()> {
    let found = free(folder)?;
    if found < needed {
        bail!(
            "no space: {what} needs about {}, and {} has {} free; make room there, or move the project to a larger disk \
             (`target/tdx` may also be a symbolic link to one)",
            BinaryBytes(needed),
            folder.display(),
            BinaryBytes(found)
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_needed_and_what_was_found() {
        let here = Path::new("/");
        assert!(require(here, 0, "nothing").is_ok());
        let error = require(here, u64::MAX, "everything")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("everything needs about 16.00 EiB"),
            "{error}"
        );
    }
}
