// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs programs of a Debian root in place, without changing root and without privileges.
//!
//! The root's programs want the root's C library, which may be newer than the machine's. Its dynamic loader can be run
//! as a program that takes the library path and the program to load (ld.so(8)), so neither a mount nor chroot(2) is
//! needed and any number may run side by side.

use anyhow::{bail, Context, Result};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// Where Debian on x86-64 keeps its libraries.
pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Its dynamic loader.
pub(crate) const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";

/// A Debian root file system in a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a>(pub(crate) &'a Path);

impl Root<'_> {
    /// A command that runs the root's program at `path`, to which arguments can be added.
    ///
    /// # Errors
    /// If the program or the dynamic loader is not there.
    pub(crate) fn program(&self, path: &str) -> Result<Command> {
        let loader = self.file(LOADER)?;
        let program = self.file(path)?;
        let libraries = self.0.join(LIBRARIES);
        if libraries.as_os_str().as_bytes().contains(&b':') {
            bail!(
                "the path {} has a colon, which the dynamic loader would take as a separator; use another folder",
                libraries.display()
            );
        }
        let mut command = Command::new(loader);
        command
            .arg("--library-path")
            .arg(libraries)
            // Programs such as kmod look at the name they were called by.
            .args(["--argv0", path])
            .arg(program)
            // Whatever is set there belongs to the machine's own C library.
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("LD_PRELOAD");
        Ok(command)
    }

    /// The names of the shared libraries that the root's program at `path` is linked to, directly or not.
    ///
    /// # Errors
    /// If one of them is missing.
    pub(crate) fn libraries(&self, path: &str) -> Result<Vec<String>> {
        let output = Command::new(self.file(LOADER)?)
            .arg("--library-path")
            .arg(self.0.join(LIBRARIES))
            .arg("--list")
            .arg(self.file(path)?)
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("LD_PRELOAD")
            .output()
            .context("cannot run the Debian root's dynamic loader")?;
        let listed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || listed.contains("not found") {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("cannot list the libraries of {path}: {listed}{said}");
        }
        // `libc.so.6 => /…/libc.so.6 (0x7f…)`; the vDSO and the loader have no arrow or a name with a slash.
        Ok(listed
            .lines()
            .filter_map(|line| Some(line.split_once(" => ")?.0.trim().to_owned()))
            .filter(|name| !name.contains('/'))
            .collect())
    }

    /// The real place of the file at `path` in the root. Symbolic links are followed as seen from inside.
    ///
    /// # Errors
    /// If there is no such file, with the path as it should be.
    pub(crate) fn file(&self, path: &str) -> Result<PathBuf> {
        self.resolve(Path::new(path))
            .with_context(|| format!("the Debian root {} has no {path}", self.0.display()))
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf> {
        // What is still to be walked, last part first, and how far the walk has come.
        let mut ahead: Vec<OsString> = Vec::new();
        push_parts(&mut ahead, path);
        let mut inside = PathBuf::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == ".." {
                inside.pop();
                continue;
            }
            let next = self.0.join(&inside).join(&part);
            if !next
                .symlink_metadata()
                .with_context(|| format!("cannot look at {}", next.display()))?
                .is_symlink()
            {
                inside.push(part);
                continue;
            }
            links += 1;
            if links > 40 {
                bail!("too many symbolic links on the way to {}", path.display());
            }
            let target = next.read_link()?;
            if target.is_absolute() {
                inside.clear();
            }
            push_parts(&mut ahead, &target);
        }
        Ok(self.0.join(inside))
    }
}

fn push_parts(ahead: &mut Vec<OsString>, path: &Path) {
    for part in path.components().rev() {
        match part {
            Component::Normal(name) => ahead.push(name.to_owned()),
            Component::ParentDir => ahead.push("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Root;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_inside_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("usr/bin/tool"), "").unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        symlink("/bin/tool", root.join("etc/absolute")).unwrap();
        symlink("../../../../bin/../bin/tool", root.join("etc/upward")).unwrap();
        symlink("loop", root.join("etc/loop")).unwrap();
        for path in ["bin/tool", "etc/absolute", "etc/upward"] {
            assert_eq!(Root(root).file(path).unwrap(), root.join("usr/bin/tool"));
        }
        assert!(Root(root).file("etc/loop").is_err());
        let error = Root(root).file("bin/nothing").unwrap_err();
        assert!(error.to_string().contains("has no bin/nothing"), "{error}");
    }
}
