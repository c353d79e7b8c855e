// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packs the caller's files for the guest.

use super::cpio::{Archive, Attributes};
use anyhow::{bail, Context, Result};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Adds each of `paths` to `archive` below the folder `home`, under its own last name.
///
/// Files keep their permissions and times and belong to root. Folders come whole, with symbolic links as they are; a
/// link that is itself named in `paths` is followed.
///
/// # Errors
/// For what is missing, unreadable or neither file, folder nor link, and for two paths of the same name.
pub(crate) fn pack<W: Write>(
    archive: &mut Archive<W>,
    home: &str,
    paths: &[PathBuf],
) -> Result<()> {
    let mut names = BTreeSet::new();
    for path in paths {
        // `.` and `..` have a name too, once it is known where they lead.
        let real = path
            .canonicalize()
            .with_context(|| format!("cannot copy {} into the guest", path.display()))?;
        let Some(name) = path.file_name().or(real.file_name()) else {
            bail!(
                "cannot copy {} into the guest: it has no name",
                path.display()
            );
        };
        if !names.insert(name.to_owned()) {
            bail!(
                "two of the files to be copied into the guest have the name {}",
                name.to_string_lossy()
            );
        }
        let inside = [home.as_bytes(), b"/", name.as_bytes()].concat();
        add(archive, &inside, &real)
            .with_context(|| format!("cannot copy {} into the guest", path.display()))?;
    }
    Ok(())
}

/// Adds the file, folder or link at `path` as `name`.
pub(crate) fn add<W: Write>(archive: &mut Archive<W>, name: &[u8], path: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(path).with_context(|| format!("{}", path.display()))?;
    if meta.is_symlink() {
        let target = fs::read_link(path)?;
        archive.link(name, target.as_os_str().as_bytes(), meta.mtime())?;
    } else if meta.is_dir() {
        archive.folder(name, attributes(&meta))?;
        let mut entries = fs::read_dir(path)
            .with_context(|| format!("{}", path.display()))?
            .collect::<Result<Vec<_>, _>>()?;
        // The same files make the same archive.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inside = [name, b"/", entry.file_name().as_bytes()].concat();
            add(archive, &inside, &entry.path())?;
        }
    } else if meta.is_file() {
        let file = File::open(path).with_context(|| format!("{}", path.display()))?;
        // Of the file that was opened, should another one have taken its place.
        let meta = file.metadata()?;
        archive
            .file(name, attributes(&meta), meta.len(), file)
            .with_context(|| format!("{}", path.display()))?;
    } else {
        bail!("{} is neither a file nor a folder", path.display());
    }
    Ok(())
}

fn attributes(meta: &Metadata) -> Attributes {
    Attributes {
        mode: meta.mode(),
        mtime: meta.mtime(),
    }
}

/// How much `paths` hold, in bytes. What cannot be looked at counts as nothing: [`pack`] will say so.
pub(crate) fn size(paths: &[PathBuf]) -> u64 {
    fn of(path: &Path, follow: bool) -> u64 {
        let meta = if follow {
            fs::metadata(path)
        } else {
            fs::symlink_metadata(path)
        };
        match meta {
            Ok(meta) if meta.is_dir() => fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| of(&entry.path(), false))
                .sum(),
            Ok(meta) if meta.is_file() => meta.len(),
            _ => 0,
        }
    }
    paths.iter().map(|path| of(path, true)).sum()
}

#[cfg(test)]
mod tests {
    use super::{pack, size};
    use crate::vm::cpio::Archive;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    /// Whether `needle` is somewhere in the archive of `paths`.
    fn packed(paths: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
        let mut archive = Archive::new(Vec::new());
        pack(&mut archive, "root", paths)?;
        Ok(archive.finish()?.0)
    }

    fn holds(archive: &[u8], needle: &str) -> bool {
        archive
            .windows(needle.len())
            .any(|w| w == needle.as_bytes())
    }

    #[test]
    fn folders_come_whole_and_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir_all(top.join("sub/empty")).unwrap();
        fs::write(top.join("sub/file"), "contents!").unwrap();
        symlink("nowhere/to/go", top.join("dangling")).unwrap();
        let archive = packed(std::slice::from_ref(&top)).unwrap();
        for part in [
            "root/top\0",
            "root/top/sub/empty\0",
            "root/top/sub/file\0",
            "contents!",
            "root/top/dangling\0",
            "nowhere/to/go",
        ] {
            assert!(holds(&archive, part), "{part}");
        }
        assert_eq!(size(&[top]), 9);
    }

    #[test]
    fn a_link_that_is_named_itself_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "contents!").unwrap();
        let link = folder.path().join("newest");
        symlink("file", &link).unwrap();
        let archive = packed(&[link]).unwrap();
        assert!(holds(&archive, "root/newest\0") && holds(&archive, "contents!"));
    }

    #[test]
    fn what_cannot_be_copied_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = format!("{:#}", packed(std::slice::from_ref(&missing)).unwrap_err());
        assert!(error.contains(missing.to_str().unwrap()), "{error}");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let error = format!("{:#}", packed(&[folder.path().to_owned()]).unwrap_err());
        assert!(error.contains("neither a file nor a folder"), "{error}");
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&a, &b] {
            fs::write(folder.path().join("same"), "").unwrap();
        }
        let error = packed(&[a.path().join("same"), b.path().join("same")]).unwrap_err();
        assert!(error.to_string().contains("have the name same"), "{error}");
    }
}
