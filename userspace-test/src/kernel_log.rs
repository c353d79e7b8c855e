// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the kernel says while a test runs.

use anyhow::{Context, Result};
use nix::errno::Errno;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// What no driver may make the kernel say, whatever it is asked.
const COMPLAINTS: &[&str] = &[
    "BUG:",
    "Call Trace:",
    "INFO: rcu",
    "INFO: task ",
    "INFO: trying to register non-static key",
    "KASAN",
    "Oops",
    "UBSAN",
    "WARNING:",
    "general protection fault",
    "new suspected memory leaks",
    "kernel BUG at",
    "kernel panic",
    "rust_kernel: panicked",
    "soft lockup",
    "sysfs: cannot create duplicate filename",
];

/// What is said before and after something that makes the kernel itself complain.
const PROVOKED: [&str; 2] = [
    "complaints are provoked",
    "no complaints are provoked any more",
];

/// The kernel log, from some moment on.
pub(crate) struct KernelLog(File);

impl KernelLog {
    /// The log from now on.
    pub(crate) fn open() -> Result<Self> {
        Self::open_at(SeekFrom::End(0))
    }

    /// The whole log, as far as the kernel still has it.
    pub(crate) fn whole() -> Result<Self> {
        Self::open_at(SeekFrom::Start(0))
    }

    fn open_at(position: SeekFrom) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .context("cannot open /dev/kmsg")?;
        file.seek(position).context("cannot seek in /dev/kmsg")?;
        Ok(Self(file))
    }

    /// Puts a line into the log, for those who read it on the console.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        let line = format!("<6>tdx-userspace-test: {text}\n");
        self.0
            .write_all(line.as_bytes())
            .context("cannot write to /dev/kmsg")
    }

    /// Says that complaints of the kernel are what is wanted from here on, or no longer.
    pub(crate) fn provoked(&mut self, on: bool) -> Result<()> {
        self.say(PROVOKED[usize::from(!on)])
    }

    /// The lines that were added since the last call.
    pub(crate) fn lines(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        // Each read returns one record, of no more than this.
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    // "priority,number,time,flags;text", then lines of details.
                    let text = String::from_utf8_lossy(&record[..length]);
                    let text = text.split_once(';').map_or(&*text, |(_, text)| text);
                    lines.push(text.lines().next().unwrap_or_default().to_owned());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(lines),
                // Records were overwritten before they were read; the next read goes on behind them.
                Err(error) if error.raw_os_error() == Some(Errno::EPIPE as i32) => {}
                Err(error) => return Err(error).context("cannot read /dev/kmsg"),
            }
        }
    }

    /// Those of [`KernelLog::lines`] that say that something is wrong with the kernel, and were not provoked.
    pub(crate) fn complaints(&mut self) -> Result<Vec<String>> {
        let mut lines = self.lines()?;
        let mut provoked = false;
        lines.retain(|line| {
            if let Some(text) = line.strip_prefix("tdx-userspace-test: ") {
                provoked = text == PROVOKED[0] || provoked && text != PROVOKED[1];
            }
            !provoked && COMPLAINTS.iter().any(|complaint| line.contains(complaint))
        });
        Ok(lines)
    }
}
