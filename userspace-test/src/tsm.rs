// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Asking for a Quote by way of configfs, as most programs do.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{mount, MsFlags};
use nix::unistd::read;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where configfs is.
const CONFIGFS: &str = "/sys/kernel/config";

/// An entry of /sys/kernel/config/tsm/report, which goes when this is dropped.
pub(crate) struct Entry(PathBuf);

impl Entry {
    /// Makes an entry that nobody else has.
    pub(crate) fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let reports = Path::new(CONFIGFS).join("tsm/report");
        if !reports.exists() {
            mount(
                None::<&str>,
                CONFIGFS,
                Some("configfs"),
                MsFlags::empty(),
                None::<&str>,
            )
            .context("cannot mount configfs")?;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = reports.join(format!("test{}-{number}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// The text of an attribute.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.0.join(name));
        Ok(text
            .with_context(|| format!("cannot read {name}"))?
            .trim_end()
            .to_owned())
    }

    /// The names of the attributes that there are.
    pub(crate) fn attributes(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Writes what the report is to carry.
    pub(crate) fn set_inblob(&self, inblob: &[u8]) -> nix::Result<()> {
        fs::write(self.0.join("inblob"), inblob).map_err(errno)
    }

    /// Reads the report. If a signal interrupts that, it is not tried again.
    pub(crate) fn outblob(&self) -> nix::Result<Vec<u8>> {
        let file = File::open(self.0.join("outblob")).map_err(errno)?;
        let mut report = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            match read(&file, &mut bytes)? {
                0 => return Ok(report),
                length => report.extend_from_slice(&bytes[..length]),
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// The error number in an error of the system.
fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Asks for a Quote with `inblob` in an entry of its own.
pub(crate) fn quote(inblob: &[u8]) -> Result<nix::Result<Vec<u8>>> {
    let entry = Entry::new()?;
    Ok(entry.set_inblob(inblob).and_then(|()| entry.outblob()))
}
