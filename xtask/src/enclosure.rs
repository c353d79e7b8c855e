// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs programs in the Debian root, or beside it, so that they leave no mount and no process behind.
//!
//! Every program gets mount and PID namespaces of its own. What is mounted for it vanishes with it, and when xtask dies,
//! even by SIGKILL, the kernel kills the whole PID namespace. A recursive delete of the build folder can therefore never
//! reach the machine's `/dev` or `/proc` through a forgotten bind mount.
//!
//! The namespaces are made by xtask itself, started a second time as the hidden `xtask enter` (see [`enter`]): this way the
//! mounts are ordinary code with ordinary errors, instead of code between fork and exec.

pub(crate) mod enter;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that are passed into the root. All others stay out: cargo sets many for xtask that would confuse a second
/// cargo, and a build should not depend on who started it.
const INHERITED: [&str; 9] = [
    "TERM",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NO_COLOR",
];

/// The search path in the root, and what a host's path lacks where root's shell was started by `su`.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A way of running programs: in which root, seeing which folders, starting where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Enclosure {
    root: Option<PathBuf>,
    binds: Vec<Bind>,
    directory: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Bind {
    from: PathBuf,
    to: PathBuf,
    read_only: bool,
}

impl Enclosure {
    /// Programs of this machine, with namespaces of their own.
    pub(crate) fn host() -> Self {
        Self::default()
    }

    /// Programs of the Debian root at `root`: with `/proc`, a small `/dev` without KVM, and empty `/tmp` and `/run`.
    pub(crate) fn root(root: impl Into<PathBuf>) -> Self {
        Self {
            root: Some(root.into()),
            ..Self::default()
        }
    }

    /// Shows the file or folder `from` at `to`, writable. `to` is made if it does not exist; what is shown later may lie
    /// within what is shown earlier.
    #[must_use]
    pub(crate) fn bind(self, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Self {
        self.with(from.into(), to.into(), false)
    }

    /// Shows the file or folder `from` at `to`, read-only. Mounts below `from` are not shown.
    #[must_use]
    pub(crate) fn bind_read_only(self, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Self {
        self.with(from.into(), to.into(), true)
    }

    /// The working directory, as seen from inside. `/` otherwise, or the caller's outside of a root.
    #[must_use]
    pub(crate) fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().into());
        self
    }

    fn with(mut self, from: PathBuf, to: PathBuf, read_only: bool) -> Self {
        self.binds.push(Bind {
            from,
            to,
            read_only,
        });
        self
    }

    /// A command that runs `program` inside. Arguments, variables and stdio are added to it as to any other; the working
    /// directory is [`Enclosure::directory`]'s. It exits with the program's status, 128 + n if that died of signal n, and
    /// [`enter::FAILED`] if the namespaces could not be made.
    ///
    /// The program is killed when the *thread* that spawned it ends (that is how PR_SET_PDEATHSIG counts), so spawn from
    /// a thread that outlives it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        // The link names this very program even when cargo has replaced its file in the meantime.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("enter")
            .arg("--parent")
            .arg(std::process::id().to_string());
        if let Some(root) = &self.root {
            command.arg("--root").arg(root);
            command.env_clear();
            command.envs(
                INHERITED
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            );
            command
                .env("PATH", SEARCH_PATH)
                .env("HOME", "/root")
                .env("LANG", "C.UTF-8");
        } else {
            let path = std::env::var("PATH").unwrap_or_default();
            command
                .env("PATH", format!("{path}:{SEARCH_PATH}"))
                .env("LC_ALL", "C.UTF-8");
        }
        for bind in &self.binds {
            command
                .args(["--bind", if bind.read_only { "ro" } else { "rw" }])
                .arg(&bind.from)
                .arg(&bind.to);
        }
        if let Some(directory) = &self.directory {
            command.arg("--directory").arg(directory);
        }
        command.arg("--").arg(program);
        command
    }
}
