// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starts QEMU for a guest, with its channels, and makes sure that it does not outlive us.

mod arguments;

pub(super) use arguments::command_line;

use super::root::{Root, LIBRARIES};
use super::{start, Guest};
use anyhow::{ensure, Context, Result};
use rustix::io::FdFlags;
use rustix::process::Signal;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Our ends of the guest's channels. QEMU's ends are sockets without a name that only it has inherited.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) control: UnixStream,
    pub(crate) kind: Kind,
}

/// The channels that depend on how the command runs.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The three standard streams.
    Streams {
        stdin: UnixStream,
        stdout: UnixStream,
        stderr: UnixStream,
    },
    /// A terminal.
    Terminal(UnixStream),
}

/// A running QEMU. It is killed when this is dropped.
///
/// It is killed as well when the thread that started it ends in whatever way (prctl(2), `PR_SET_PDEATHSIG`), so that
/// thread has to stay until the guest is done.
#[derive(Debug)]
pub(crate) struct Qemu {
    child: Child,
    complaints: Option<JoinHandle<Vec<u8>>>,
}

impl Qemu {
    /// Starts QEMU. `image` is the initial file system, `console` the file for the kernel's console.
    pub(crate) fn start(
        guest: &Guest,
        image: File,
        console: &Path,
        terminal: bool,
    ) -> Result<(Self, Channels)> {
        ensure!(
            guest.plugin.is_some() || !guest.trace,
            "there are no TDCALLs to trace without the TDX module under the guest"
        );
        let mut inherited = Vec::new();
        let line = arguments::command_line(guest)?;
        let mut arguments = arguments::arguments(guest, console);
        let mut channel = |id: &str, device: &str| -> Result<UnixStream> {
            let (ours, theirs) = UnixStream::pair().context("cannot make a pair of sockets")?;
            let fd = theirs.as_raw_fd();
            arguments.push("-chardev".into());
            arguments.push(format!("socket,id={id},fd={fd}").into());
            arguments.push("-device".into());
            arguments.push(format!("{device},chardev={id},bus=channels.0").into());
            inherited.push(OwnedFd::from(theirs));
            Ok(ours)
        };
        let channels = Channels {
            control: channel("control", "virtserialport,nr=1")?,
            kind: if terminal {
                Kind::Terminal(channel("terminal", "virtconsole,nr=0")?)
            } else {
                Kind::Streams {
                    stdin: channel("stdin", "virtserialport,nr=2")?,
                    stdout: channel("stdout", "virtserialport,nr=3")?,
                    stderr: channel("stderr", "virtserialport,nr=4")?,
                }
            },
        };
        arguments.extend(guest.qemu_arguments.iter().cloned());
        let (kernel, medium) = start::arguments(guest, &line, image)?;
        arguments.extend(kernel);
        inherited.push(medium);

        let root = Root(&guest.root);
        let mut command = root.program("usr/bin/qemu-system-x86_64")?;
        let parent = rustix::process::getpid();
        command
            .args(arguments)
            .env("QEMU_MODULE_DIR", guest.root.join(LIBRARIES).join("qemu"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Out of the way of the terminal's signals: what they mean for the guest is for us to say.
            .process_group(0);
        let prepare = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // We may have died before that.
            if rustix::process::getppid() != Some(parent) {
                return Err(io::Error::from(rustix::io::Errno::CHILD));
            }
            for fd in &inherited {
                rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe functions may be called. `prepare` makes system calls on
        // values captured before the fork; it neither allocates nor takes a lock, and io::Error from an error number
        // does not allocate either.
        unsafe { command.pre_exec(prepare) };
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run QEMU of {}", guest.root.display()))?;
        // `command` holds QEMU's ends of the channels and is dropped here, so that we see when QEMU closes them.
        drop(command);
        let trace = guest.trace;
        let complaints = child
            .stderr
            .take()
            .map(|stderr| std::thread::spawn(move || listen(stderr, trace)));
        Ok((Self { child, complaints }, channels))
    }

    /// Waits until QEMU has ended, for so long at most.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills QEMU if it still runs, and returns what it wrote to its standard error.
    pub(crate) fn end(mut self) -> String {
        self.kill();
        let text = self.complaints.take().and_then(|thread| thread.join().ok());
        String::from_utf8_lossy(&text.unwrap_or_default())
            .trim()
            .to_owned()
    }

    fn kill(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads QEMU's standard error to its end, shows it if `show`, and returns what is not a TDCALL's trace.
fn listen(stderr: ChildStderr, show: bool) -> Vec<u8> {
    /// Whoever writes more than this, in bytes, has said what is wrong in the beginning.
    const KEPT: usize = 1 << 16;
    // The terminal may be in the hands of the guest, where a line does not begin at the left by itself.
    let line_end: &[u8] = if io::stderr().is_terminal() {
        b"\r\n"
    } else {
        b"\n"
    };
    let mut stderr = BufReader::new(stderr);
    let mut kept = Vec::new();
    let mut line = Vec::new();
    while let Ok(1..) = stderr.read_until(b'\n', &mut line) {
        // How each line of the plugin's trace begins.
        let traced = line.starts_with(b"vcpu ");
        if show {
            let text = line.trim_ascii_end();
            // Nobody is left to be told of a failure.
            let _ = io::stderr().write_all(&[b"tdx: ", text, line_end].concat());
        }
        if !traced && kept.len() < KEPT {
            kept.extend_from_slice(&line);
        }
        line.clear();
    }
    kept
}
