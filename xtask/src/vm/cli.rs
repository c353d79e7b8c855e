// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask vm`: the command line, and what it tells the user.

use super::failure::{Failure, What};
use super::streams::{Stdin, Streams};
use super::{Driver, Ended, Guest, Memory};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The status when there is none of the command: something could not be set up or built, the machine not be made, the driver
/// not be loaded, or the guest panicked, hung, or QEMU died.
pub(crate) const STATUS_FAILED: u8 = 125;
/// The status when `--timeout` was over, as timeout(1) has it.
pub(crate) const STATUS_TIMED_OUT: u8 = 124;
/// The status when whoever reads our output has gone: 128 + SIGPIPE.
const STATUS_PIPE: u8 = 141;

/// What `--help` adds to the options.
const HELP: &str = "\
The command runs as root in /root, where the files of --with are. Its standard output and standard error come out
unchanged, and its standard input is this program's unless that is a terminal. Processes that it leaves behind are
killed. Without a command there is a login shell on the terminal; Ctrl-] three times within a second ends the guest.

The exit status is the command's; 128 + n if signal n killed it; 127 if there is no such command, 126 if it cannot be
executed; 124 after --timeout; and 125 if the command was not run to its end: something could not be set up or built, the
driver did not load, the guest panicked or hung, or QEMU died. A message then says which and, if there was a guest, where
its console is. A command line of xtask that is not understood is status 2.";

/// What `cargo xtask vm` is told.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(crate) struct VmArgs {
    /// How the TD comes to its kernel.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) boot: BootChoice,
    /// The driver to load before the command runs.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) driver: DriverChoice,
    /// Virtual CPUs.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub(crate) smp: u32,
    /// Memory of the guest, such as 512M or 2G.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub(crate) memory: Memory,
    /// A file or folder to copy into the command's working directory. May be given more than once.
    #[arg(long = "with", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The TD, its platform and its host, in TOML; see tdx-module/example.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Show every TDCALL on standard error, except those by which an idle processor waits.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Stop the guest after so many seconds, boot included.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// Give the command the terminal, as the shell has it, instead of separate streams.
    #[arg(long, short, requires = "command")]
    pub(crate) tty: bool,
    /// A parameter for the guest's kernel. May be given more than once.
    #[arg(long, value_name = "PARAMETER")]
    pub(crate) append: Vec<String>,
    /// The command and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<OsString>,
}

/// How the TD is to come to its kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootChoice {
    /// QEMU starts the kernel; nothing is measured.
    #[default]
    Direct,
    /// Debian's TDVF starts the kernel that QEMU hands over, and measures it. Secure Boot is off.
    Tdvf,
    /// Debian's TDVF starts shim from a disk, that GRUB, and that the kernel, with Secure Boot on: the driver is signed
    /// with a key that the firmware knows, and the kernel takes no other.
    TdvfSecureBoot,
    /// Debian's TDVF starts a unified kernel image from a disk. Secure Boot is off.
    Uki,
    /// The same with Secure Boot on: image and driver are signed with a key that the firmware knows.
    UkiSecureBoot,
}

/// Which driver the user wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriverChoice {
    /// This project's.
    #[default]
    Rust,
    /// The kernel's own.
    C,
    /// None; `modprobe tdx_guest` loads this project's.
    None,
}

impl VmArgs {
    /// Gives `guest` the driver that the user asked for. `ko` is the Rust driver.
    ///
    /// # Errors
    /// If it has not been built.
    pub(crate) fn choose_driver(&self, guest: &mut Guest, ko: Option<&Path>) -> Result<()> {
        guest.driver = match (self.driver, ko) {
            (DriverChoice::Rust, Some(ko)) => Driver::Rust(ko.to_owned()),
            (DriverChoice::Rust, None) => anyhow::bail!("the Rust driver has not been built"),
            (DriverChoice::C, _) => Driver::C,
            (DriverChoice::None, ko) => Driver::None(ko.map(Path::to_owned)),
        };
        Ok(())
    }

    /// Runs what the user asked for in `guest`, which brings everything that the command line does not say.
    ///
    /// Returns the status to exit with; failures have been told on standard error by then.
    ///
    /// # Errors
    /// If something fails that has nothing to do with a guest.
    pub(crate) fn run(&self, mut guest: Guest) -> Result<u8> {
        guest.smp = self.smp;
        guest.memory = self.memory;
        guest.files.clone_from(&self.files);
        guest.append.extend_from_slice(&self.append);
        guest.name = format!("vm-{}", std::process::id());
        if let (Some(config), Some(plugin)) = (&self.config, &mut guest.plugin) {
            let config = config
                .canonicalize()
                .with_context(|| format!("cannot read {}", config.display()))?;
            plugin.arguments.push(("config".into(), config.into()));
        }
        guest.trace = self.trace;

        let limit = self.timeout.map(Duration::from_secs);
        let terminal = io::stdin().is_terminal();
        let result =
            if self.tty || (self.command.is_empty() && terminal && io::stdout().is_terminal()) {
                guest.terminal(&self.command, limit)
            } else {
                explain_interruption(&guest)?;
                let shell = [OsString::from("sh")];
                let streams = Streams {
                    stdin: if terminal {
                        Stdin::Null
                    } else {
                        Stdin::Inherit
                    },
                    stdout: &mut io::stdout(),
                    stderr: &mut io::stderr(),
                };
                let command = if self.command.is_empty() {
                    &shell[..]
                } else {
                    &self.command[..]
                };
                guest.run(command, limit, streams)
            };
        Ok(status(result))
    }
}

/// The status to exit with. What the status does not say is told on standard error.
fn status(result: Result<Ended, Failure>) -> u8 {
    match result {
        Ok(Ended { status, console }) => {
            let splats = console.splats();
            if let (Some(first), Some(log)) = (splats.first(), &console.log) {
                eprintln!(
                    "The guest's kernel complained ({} lines), first:\n{first}\nThe guest's console: {}",
                    splats.len(),
                    log.display()
                );
            }
            status
        }
        Err(failure) => match failure.what() {
            Some(What::Output(error)) if error.kind() == ErrorKind::BrokenPipe => STATUS_PIPE,
            Some(What::TimedOut(_)) => {
                eprintln!("{failure:#}");
                STATUS_TIMED_OUT
            }
            _ => {
                eprintln!("{failure:#}");
                STATUS_FAILED
            }
        },
    }
}

/// Lets Ctrl-C and its like end us as ever, and the guest with us, but says where the guest's console is to be found:
/// it may have been interrupted because it hung.
fn explain_interruption(guest: &Guest) -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (logs, name) = (guest.logs.clone(), format!("{}-", guest.name));
    std::thread::spawn(move || {
        for signal in signals.forever() {
            for entry in std::fs::read_dir(&logs).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&name) {
                    eprintln!(
                        "Interrupted. The guest's console: {}",
                        entry.path().display()
                    );
                }
            }
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}
