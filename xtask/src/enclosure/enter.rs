// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `xtask enter`: the inside of an [`Enclosure`](super::Enclosure).
//!
//! It runs twice. The outer process makes the namespaces and waits; the inner one is the first process of the new PID
//! namespace, makes the mounts, changes the root, and waits for the program, which is an ordinary child: signals, `abort`
//! and core dumps work for it as usual, which they do not for a namespace's first process.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{anyhow, bail, Context, Result};
use nix::errno::Errno;
use nix::mount::{mount, MsFlags};
use nix::sched::{unshare, CloneFlags};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::statvfs::{statvfs, FsFlags};
use nix::unistd::{chroot, getppid};

/// The exit status when the program could not be started, as with `env` and `chroot`.
pub(crate) const FAILED: u8 = 125;

/// Device nodes of the machine that a program in the root may see. KVM is not among them: results must not depend on it.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Arguments of the hidden `xtask enter`.
#[derive(Debug, clap::Args)]
pub(crate) struct Enter {
    /// The first process of the new namespaces.
    #[arg(long)]
    inner: bool,
    /// The process that this one must not outlive.
    #[arg(long)]
    parent: i32,
    #[arg(long)]
    root: Option<PathBuf>,
    /// MODE is `ro` or `rw`.
    #[arg(long, num_args = 3, value_names = ["MODE", "FROM", "TO"])]
    bind: Vec<PathBuf>,
    #[arg(long)]
    directory: Option<PathBuf>,
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

impl Enter {
    /// Runs the program and gives its exit status.
    pub(crate) fn run(self) -> ExitCode {
        let status = if self.inner {
            self.inside()
        } else {
            self.outside()
        };
        match status {
            Ok(status) => ExitCode::from(exit_code(status)),
            Err(error) => {
                eprintln!("xtask enter: {error:#}");
                ExitCode::from(FAILED)
            }
        }
    }

    fn outside(&self) -> Result<ExitStatus> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid().as_raw() != self.parent {
            bail!("the xtask that started this is gone");
        }
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).map_err(|errno| match errno {
            Errno::EPERM => anyhow!(
                "this needs mount and PID namespaces, which root may make (CAP_SYS_ADMIN; in a container, `--privileged`)"
            ),
            errno => anyhow!(errno).context("making mount and PID namespaces"),
        })?;
        Command::new("/proc/self/exe")
            .args(["enter", "--inner", "--parent"])
            .arg(std::process::id().to_string())
            .args(
                std::env::args_os()
                    .skip_while(|argument| argument != "--parent")
                    .skip(2),
            )
            .status()
            .context("starting the first process of the namespaces")
    }

    fn inside(&self) -> Result<ExitStatus> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The outer process may have died before the line above. It cannot be seen by getppid, which is 0 here, but in the
        // /proc that is still the machine's; a dead process has no `exe`.
        fs::read_link(format!("/proc/{}/exe", self.parent))
            .context("the xtask that started this is gone")?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .context("making all mounts private")?;

        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        if self.root.is_some() {
            devices(&root.join("dev"))?;
            for scratch in ["tmp", "run"] {
                filesystem("tmpfs", &root.join(scratch), "mode=1777")?;
            }
        }
        filesystem("proc", &root.join("proc"), "")?;
        for one in self.bind.chunks_exact(3) {
            let to = root.join(one[2].strip_prefix("/").unwrap_or(&one[2]));
            bind(&one[1], &to, one[0] == Path::new("ro"))?;
        }
        if self.root.is_some() {
            chroot(root).with_context(|| format!("changing the root to {}", root.display()))?;
            std::env::set_current_dir("/")?;
        }
        if let Some(directory) = &self.directory {
            std::env::set_current_dir(directory)
                .with_context(|| format!("entering the folder {}", directory.display()))?;
        }
        let program = Path::new(&self.program[0]);
        Command::new(program)
            .args(&self.program[1..])
            .status()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => anyhow!(
                    "there is no program {} in {}",
                    program.display(),
                    root.display()
                ),
                _ => anyhow!(error).context(format!("starting {}", program.display())),
            })
    }
}

/// The status as one number, by the shell's convention for signals.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(i32::from(FAILED));
    u8::try_from(code).unwrap_or(FAILED)
}

fn filesystem(kind: &str, at: &Path, options: &str) -> Result<()> {
    mount(
        Some(kind),
        at,
        Some(kind),
        MsFlags::MS_NOSUID,
        Some(options),
    )
    .with_context(|| format!("mounting {kind} at {}", at.display()))
}

/// Binds a file or folder, making the place for it.
fn bind(from: &Path, to: &Path, read_only: bool) -> Result<()> {
    let what = || format!("showing {} at {}", from.display(), to.display());
    if from.is_dir() {
        fs::create_dir_all(to).with_context(what)?;
    } else if !to.exists() {
        to.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .with_context(what)?;
        fs::write(to, "").with_context(what)?;
    }
    let none: Option<&str> = None;
    mount(Some(from), to, none, MsFlags::MS_BIND, none).with_context(what)?;
    if read_only {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | kept_flags(to)?;
        mount(none, to, none, flags, none).with_context(what)?;
    }
    Ok(())
}

/// The restrictions of the mount at `path`, which a remount must repeat, or else it would lift them (or be refused).
fn kept_flags(path: &Path) -> Result<MsFlags> {
    let found = statvfs(path)?.flags();
    let pairs = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
    ];
    Ok(pairs
        .into_iter()
        .filter(|(one, _)| found.contains(*one))
        .map(|(_, other)| other)
        .collect())
}

/// A `/dev` with only what programs cannot do without.
fn devices(dev: &Path) -> Result<()> {
    filesystem("tmpfs", dev, "mode=755")?;
    for name in DEVICES {
        bind(&Path::new("/dev").join(name), &dev.join(name), false)?;
    }
    for (name, target) in [
        ("fd", "fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        symlink(Path::new("/proc/self").join(target), dev.join(name))?;
    }
    for (name, kind, options) in [
        ("shm", "tmpfs", "mode=1777"),
        ("pts", "devpts", "newinstance,ptmxmode=0666"),
    ] {
        fs::create_dir(dev.join(name))?;
        filesystem(kind, &dev.join(name), options)?;
    }
    symlink("pts/ptmx", dev.join("ptmx"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_as_the_shell_does() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }
}
