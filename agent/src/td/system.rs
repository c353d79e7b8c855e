// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the kernel's files are, and errors about them.

use crate::{Access, Error, Step};
use nix::errno::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where the kernel's files are.
#[derive(Clone, Debug)]
pub(super) struct System {
    root: PathBuf,
}

impl System {
    /// The one whose /dev, /proc and /sys are in that folder.
    pub(super) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The file of that absolute path.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether the kernel found out that it runs in a TD.
    pub(super) fn is_td(&self) -> bool {
        let info = fs::read_to_string(self.path("/proc/cpuinfo")).unwrap_or_default();
        let flags = info.lines().find_map(|line| {
            line.split_once(':')
                .filter(|(name, _)| name.trim_end() == "flags")
        });
        flags.is_some_and(|(_, flags)| {
            flags
                .split_ascii_whitespace()
                .any(|flag| flag == "tdx_guest")
        })
    }
}

/// The error about a file that could not be opened, read or written.
pub(super) fn io_error(step: Step, path: &Path, error: Errno) -> Error {
    match error {
        Errno::EACCES | Errno::EPERM => Error::NoPermission {
            step,
            path: path.to_owned(),
            access: access(path),
        },
        error => Error::Io {
            step,
            path: path.to_owned(),
            source: error.into(),
        },
    }
}

/// The number of an error of the system.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn access(path: &Path) -> Option<Access> {
    let data = fs::metadata(path).ok()?;
    Some(Access {
        mode: data.mode() & 0o7777,
        group: group_name(data.gid()).unwrap_or_else(|| data.gid().to_string()),
    })
}

/// The name of a group. Read from the file: what the C library would ask besides is not there in a static program.
fn group_name(gid: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == gid.to_string()).then(|| name.to_owned())
    })
}
