// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Deleting folders. They are first moved out of the way, so that a half-deleted root is never taken for a whole one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{bail, Context, Result};

use crate::paths::Paths;

/// Deletes a file or folder under `target/tdx`, if it is there.
///
/// # Errors
/// When something is mounted below it: deleting would go on inside that mount.
pub(crate) fn discard(paths: &Paths, path: &Path) -> Result<()> {
    let what = || format!("deleting {}", path.display());
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    refuse_mounts_below(
        path,
        &fs::read_to_string("/proc/self/mountinfo").with_context(what)?,
    )?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let grave = paths
        .trash()
        .join(format!("{}-{}", now.as_nanos(), std::process::id()));
    while path.symlink_metadata().is_ok() {
        fs::create_dir_all(paths.trash()).with_context(what)?;
        match fs::rename(path, &grave) {
            // Another xtask has emptied the trash between the two, or discarded this.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => {
                result.with_context(what)?;
                break;
            }
        }
    }
    empty_trash(paths)
}

/// How old a temporary folder is when it can be nobody's any more.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 60 * 60);

/// Has temporary files and folders made under `target/tdx/`, too. They go with who made them, or, if that was killed, here
/// when they are a day old.
pub(crate) fn keep_temporary_files_in(paths: &Paths) -> Result<()> {
    let folder = paths.temporary();
    let what = || format!("making and tidying {}", folder.display());
    fs::create_dir_all(&folder).with_context(what)?;
    for entry in fs::read_dir(&folder).with_context(what)? {
        let entry = entry.with_context(what)?;
        // Where it is gone meanwhile, another xtask was tidying, or ended.
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|modified| modified.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > LEFT_BEHIND) {
            discard(paths, &entry.path())?;
        }
    }
    // Refused only where it was done before.
    let _ = tempfile::env::override_temp_dir(&folder);
    Ok(())
}

/// Deletes what an earlier [`discard`] had no time for.
pub(crate) fn empty_trash(paths: &Paths) -> Result<()> {
    let trash = paths.trash();
    // Another xtask may be deleting too, and a build that was killed a moment ago may still be writing.
    for _ in 0..20 {
        match fs::remove_dir_all(&trash) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound
                ) =>
            {
                if !trash.exists() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            result => return result.with_context(|| format!("deleting {}", trash.display())),
        }
    }
    Err(io::Error::from(ErrorKind::DirectoryNotEmpty))
        .with_context(|| format!("deleting {}", trash.display()))
}

fn refuse_mounts_below(path: &Path, mountinfo: &str) -> Result<()> {
    let path = path
        .canonicalize()
        .with_context(|| format!("deleting {}", path.display()))?;
    let mounted = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .find(|at| Path::new(at).starts_with(&path));
    if let Some(at) = mounted {
        bail!(
            "{} is to be deleted, but something is mounted at {at}; unmount it (`umount -R {at}`)",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_deletes_through_a_mount() {
        let mountinfo = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                         40 22 0:5 / /usr/lib/x rw,nosuid shared:2 - devtmpfs devtmpfs rw\n";
        let error = refuse_mounts_below(Path::new("/usr/lib"), mountinfo)
            .unwrap_err()
            .to_string();
        assert!(error.contains("mounted at /usr/lib/x"), "{error}");
        assert!(refuse_mounts_below(Path::new("/usr/bin"), mountinfo).is_ok());
    }
}
