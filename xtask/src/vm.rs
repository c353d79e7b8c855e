// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs one command in a virtual machine of its own, a TD where the software TDX module is under it.
//!
//! A [`Guest`] says what to boot and what to take along. [`Guest::run`] boots it, runs a command as root in the folder
//! that holds the files, passes the three standard streams through byte for byte, each on a channel of its own, and
//! returns the command's status. [`Guest::output`] captures instead; [`Guest::terminal`] gives the command the user's
//! terminal. Each call is a machine of its own: any number may run at the same time, from any threads.
//!
//! Nothing is left behind however a call ends: the file system is in memory, the channels are sockets without a name,
//! and the kernel kills QEMU when the calling thread ends. The one file, the console's log, is deleted unless something
//! went wrong or the kernel complained.
//!
//! QEMU's software emulation runs the guest; hardware virtualisation is not used even where there is some.

pub(crate) mod checks;
pub(crate) mod cli;
mod console;
mod control;
mod cpio;
mod disk;
mod failure;
mod files;
mod image;
mod modules;
mod qemu;
mod quote;
pub(crate) mod root;
mod session;
mod start;
mod streams;
mod terminal;

pub(crate) use console::Console;
pub(crate) use failure::{Failure, What};
pub(crate) use start::{BootDisk, Start, DISK_SLOT};
pub(crate) use streams::{Stdin, Streams};

use std::ffi::OsString;
use std::fmt;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The CPU model for a TD: all that QEMU's emulation has, made by Intel.
///
/// On an AMD processor Linux takes itself for a guest that AMD's means protect (arch/x86/kernel/cpu/amd.c,
/// `bsp_determine_snp`), and forgets that it is a TD: it shares no memory with the host and bounces no DMA.
/// TDX is enumerated in CPUID leaf 21h, up to which the leaves have to reach.
pub(crate) const CPU: &str = "max,vendor=GenuineIntel,level=0x21";

/// A machine that can be booted, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// Debian root with QEMU, busybox, the C library, kmod, xz and zstd. It is only read.
    pub(crate) root: PathBuf,
    /// The kernel to boot, as the distribution ships it.
    pub(crate) vmlinuz: PathBuf,
    /// The kernel's modules, the folder that contains `kernel/`. It is only read.
    pub(crate) modules: PathBuf,
    /// The kernel's release, what `uname -r` prints in the guest.
    pub(crate) release: String,
    /// Where base images are kept between runs.
    pub(crate) cache: PathBuf,
    /// Where the console's log goes when something went wrong.
    pub(crate) logs: PathBuf,
    /// How the log's name begins, such as the name of a test.
    pub(crate) name: String,
    /// How the machine comes to its kernel.
    pub(crate) start: Start,
    /// What makes the machine a TD; without it, it is an ordinary virtual machine.
    pub(crate) plugin: Option<Plugin>,
    /// Whether to show on our standard error, line by line as they happen, what QEMU writes to its own and the TDCALLs
    /// that the plugin traces.
    pub(crate) trace: bool,
    /// The driver that is loaded before the command runs.
    pub(crate) driver: Driver,
    /// Modules to take along beside the usual ones.
    pub(crate) extra_modules: Vec<String>,
    /// Whether the guest may reset its machine, which then boots again and runs the command anew. Else a reset ends it.
    pub(crate) resets: bool,
    /// Virtual CPUs.
    pub(crate) smp: u32,
    /// Memory of the guest. Its file system takes twice the size of `files` of it while it boots.
    pub(crate) memory: Memory,
    /// QEMU's machine.
    pub(crate) machine: String,
    /// QEMU's CPU model. It has to be Intel's.
    pub(crate) cpu: String,
    /// Files and folders to copy into the command's working directory, `/root`.
    pub(crate) files: Vec<PathBuf>,
    /// Parameters for the kernel, after `panic=-1`: a panic ends the machine. `oops=panic` lets an oops do so too.
    pub(crate) append: Vec<String>,
    /// Options for QEMU, after all others.
    pub(crate) qemu_arguments: Vec<OsString>,
    /// How long the guest may take until the command starts.
    pub(crate) boot_limit: Duration,
}

/// A plugin for QEMU.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    /// The shared object.
    pub(crate) path: PathBuf,
    /// Its arguments, in the plugin's own terms.
    pub(crate) arguments: Vec<(String, OsString)>,
}

/// Which driver the guest has.
#[derive(Debug, Clone)]
pub(crate) enum Driver {
    /// This `tdx-guest.ko` is installed under `updates/`, where modprobe prefers it, and loaded.
    Rust(PathBuf),
    /// The kernel's own is loaded.
    C,
    /// None is loaded. A `tdx-guest.ko`, if there is one, is installed all the same: `modprobe tdx_guest` loads it, and
    /// `insmod` the kernel's own, which lies under `kernel/drivers/virt/coco`.
    None(Option<PathBuf>),
}

impl Driver {
    /// The module that is installed beside the kernel's.
    fn own_module(&self) -> Option<&Path> {
        match self {
            Self::Rust(ko) | Self::None(Some(ko)) => Some(ko),
            Self::C | Self::None(None) => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Rust(_) => "rust",
            Self::C => "c",
            Self::None(_) => "none",
        }
    }
}

/// An amount of memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) u64);

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}M", self.0)
    }
}

impl FromStr for Memory {
    type Err = String;

    /// Understands `512`, `512M`, `512MiB`, `2G`, `2GiB`.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let factor = match &text[digits.len()..] {
            "" | "M" | "m" | "MiB" => 1,
            "G" | "g" | "GiB" => 1024,
            unit => return Err(format!("`{unit}` is no unit of memory; use M or G")),
        };
        let number: u64 = digits
            .parse()
            .map_err(|_| format!("`{text}` is no amount of memory; say 512M or 2G"))?;
        match number.checked_mul(factor) {
            Some(mib @ 128..) => Ok(Self(mib)),
            _ => Err(format!("{text} of memory: at least 128M are needed")),
        }
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status, or 128 + n after signal n, as shells say it. 127: no such command, 126: it cannot be executed.
    pub(crate) status: u8,
    /// The kernel's console. Its log is kept only if the kernel complained.
    pub(crate) console: Console,
}

/// What a command did and wrote.
#[derive(Debug)]
pub(crate) struct Output {
    /// As in [`Ended`].
    pub(crate) status: u8,
    /// All that it wrote to its standard output.
    pub(crate) stdout: Vec<u8>,
    /// All that it wrote to its standard error.
    pub(crate) stderr: Vec<u8>,
    /// As in [`Ended`].
    pub(crate) console: Console,
}

impl Guest {
    /// An ordinary virtual machine with one processor, 1 GiB and no driver: all else is left to be set.
    ///
    /// The parameters are the fields of their names.
    pub(crate) fn new(
        root: PathBuf,
        vmlinuz: PathBuf,
        modules: PathBuf,
        release: String,
        cache: PathBuf,
        logs: PathBuf,
    ) -> Self {
        Self {
            root,
            vmlinuz,
            modules,
            release,
            cache,
            logs,
            name: "vm".into(),
            start: Start::Direct,
            plugin: None,
            trace: false,
            driver: Driver::None(None),
            extra_modules: Vec::new(),
            resets: false,
            smp: 1,
            memory: Memory(1024),
            machine: "q35".into(),
            cpu: CPU.into(),
            files: Vec::new(),
            append: Vec::new(),
            qemu_arguments: Vec::new(),
            boot_limit: Duration::from_secs(120),
        }
    }

    /// Boots, runs `command` with `streams` and powers off.
    ///
    /// When the command ends, processes that it has left behind are killed. `limit` is for all of it, boot included.
    ///
    /// # Errors
    /// [`Failure`] if there is no status to be had: the machine could not be made, the driver not loaded, the guest
    /// panicked, hung or powered off, QEMU died, `limit` was over, or a stream of ours could not be written to.
    pub(crate) fn run(
        &self,
        command: &[OsString],
        limit: Option<Duration>,
        streams: Streams<'_>,
    ) -> Result<Ended, Failure> {
        streams::run(self, command, limit, streams)
    }

    /// As [`Guest::run`], with `stdin` as the standard input and the output captured.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub(crate) fn output(
        &self,
        command: &[OsString],
        limit: Option<Duration>,
        stdin: Stdin<'_>,
    ) -> Result<Output, Failure> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let streams = Streams {
            stdin,
            stdout: &mut stdout,
            stderr: &mut stderr,
        };
        let Ended { status, console } = self.run(command, limit, streams)?;
        Ok(Output {
            status,
            stdout,
            stderr,
            console,
        })
    }

    /// The command line and the initial file system that the kernel gets when it is booted to run `command` with nothing to
    /// read.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(crate) fn handed_over(&self, command: &[OsString]) -> anyhow::Result<(String, Vec<u8>)> {
        let boot = image::Boot {
            command,
            input: false,
            terminal: None,
        };
        let mut image = image::assemble(self, &boot)?;
        let mut initrd = Vec::new();
        image.rewind()?;
        image.read_to_end(&mut initrd)?;
        Ok((qemu::command_line(self)?, initrd))
    }

    /// The disk that the guest boots from when it is booted to run `command` with nothing to read.
    ///
    /// # Errors
    /// When it cannot be made, or there is none.
    pub(crate) fn boot_disk(&self, command: &[OsString]) -> anyhow::Result<BootDisk> {
        let boot = image::Boot {
            command,
            input: false,
            terminal: None,
        };
        BootDisk::of(
            self,
            &qemu::command_line(self)?,
            image::assemble(self, &boot)?,
        )
    }

    /// Boots and runs `command`, or a login shell if it is empty, on the user's terminal.
    ///
    /// Keys go to the guest as they are, Ctrl-C among them; Ctrl-] three times within a second ends the guest.
    ///
    /// # Errors
    /// As [`Guest::run`], and if standard input is no terminal. The terminal is always restored.
    pub(crate) fn terminal(
        &self,
        command: &[OsString],
        limit: Option<Duration>,
    ) -> Result<Ended, Failure> {
        terminal::run(self, command, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn memory_is_understood_with_and_without_units() {
        for (text, mib) in [("512", 512), ("512M", 512), ("2G", 2048), ("1GiB", 1024)] {
            assert_eq!(text.parse(), Ok(Memory(mib)));
        }
        for text in [
            "",
            "M",
            "-1",
            "512K",
            "1.5G",
            "99999999999999999999G",
            "64M",
        ] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }
}
