// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a command whose standard streams are passed through.

use super::control::Silence;
use super::failure::{Failure, What};
use super::image::Boot;
use super::qemu::Kind;
use super::session::{Session, Trouble};
use super::{Ended, Guest};
use anyhow::anyhow;
use rustix::event::{poll, PollFd, PollFlags};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much is passed on at once, in bytes.
const CHUNK: usize = 1 << 16;

/// Where a command's standard streams lead.
pub(crate) struct Streams<'a> {
    /// What it reads.
    pub(crate) stdin: Stdin<'a>,
    /// What it writes goes there as it comes, flushed piece by piece.
    pub(crate) stdout: &'a mut (dyn Write + Send),
    /// The same for its standard error.
    pub(crate) stderr: &'a mut (dyn Write + Send),
}

/// A command's standard input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stdin<'a> {
    /// Nothing: /dev/null.
    Null,
    /// These bytes.
    Bytes(&'a [u8]),
    /// Our own.
    Inherit,
}

/// How far the output has been passed on.
#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of standard output and of standard error.
    bytes: [u64; 2],
    /// Whether no more will come.
    closed: [bool; 2],
    /// The first failure to write.
    error: Option<io::Error>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent after each assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until so many bytes have been passed on. Returns whether they have.
    fn reach(&self, wanted: [u64; 2], end: Option<Instant>) -> bool {
        let mut state = self.lock();
        loop {
            let missing = |stream: usize| state.bytes[stream] < wanted[stream];
            if !missing(0) && !missing(1) {
                return true;
            }
            if state.error.is_some() || (0..2).any(|s| missing(s) && state.closed[s]) {
                return false;
            }
            let limit = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(limit) if limit.is_zero() => return false,
                Some(limit) => limit,
                None => Duration::from_secs(3600),
            };
            state = match self.changed.wait_timeout(state, limit) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// See [`Guest::run`].
pub(crate) fn run(
    guest: &Guest,
    command: &[OsString],
    limit: Option<Duration>,
    streams: Streams<'_>,
) -> Result<Ended, Failure> {
    if command.is_empty() {
        return Err(anyhow!("no command to run").into());
    }
    let boot = Boot {
        command,
        input: !matches!(streams.stdin, Stdin::Null),
        terminal: None,
    };
    let (mut session, kind) = Session::boot(guest, &boot, limit)?;
    let Kind::Streams {
        stdin,
        stdout,
        stderr,
    } = kind
    else {
        return Err(anyhow!("the machine was made for a terminal").into());
    };
    let hang_up = [session.control.handle(), session.control.handle()];
    let progress = Progress::default();
    std::thread::scope(|scope| {
        let progress = &progress;
        let sinks = [(stdout, streams.stdout), (stderr, streams.stderr)];
        for (number, ((source, sink), hang_up)) in sinks.into_iter().zip(hang_up).enumerate() {
            scope.spawn(move || {
                let error = pass_on(source, sink, |count| {
                    progress.change(|state| state.bytes[number] += count);
                })
                .err();
                let failed = error.is_some();
                progress.change(|state| {
                    state.closed[number] = true;
                    state.error = state.error.take().or(error);
                });
                if failed {
                    // Wakes who waits for the guest to say something.
                    if let Ok(control) = hang_up {
                        let _ = control.shutdown(Shutdown::Both);
                    }
                }
            });
        }
        // Kept open to the end: at the end of the input QEMU still reads what waits in the socket, but when the socket
        // is closed it throws that away.
        let stdin = &stdin;
        scope.spawn(move || feed(streams.stdin, stdin));
        let outcome = follow(&mut session, progress);
        // Ends QEMU in any case, and with it the threads, whose channels it closes.
        session.conclude(match (outcome, progress.lock().error.take()) {
            (Err(_), Some(error)) => Err(What::Output(error).into()),
            (outcome, _) => outcome,
        })
    })
}

fn follow(session: &mut Session, progress: &Progress) -> Result<(), Trouble> {
    let (out, err) = session.done()?;
    if !progress.reach([out, err], session.end()) {
        let got = progress.lock().bytes;
        return Err(match session.end() {
            Some(end) if end <= Instant::now() => session.silent(Silence::TimedOut),
            _ => What::Protocol(format!(
                "of {out} and {err} bytes of output and errors {} and {} arrived",
                got[0], got[1]
            ))
            .into(),
        });
    }
    session.finish()
}

/// Copies to the end of `source`, which comes when QEMU ends, and tells `passed` how many bytes went each time.
fn pass_on(
    mut source: UnixStream,
    sink: &mut (dyn Write + Send),
    mut passed: impl FnMut(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                sink.write_all(&buffer[..count])?;
                sink.flush()?;
                passed(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // QEMU was killed.
            Err(_) => return Ok(()),
        }
    }
}

/// Gives the guest its standard input, and lets it see the end. Returns at the latest when QEMU has ended.
fn feed(stdin: Stdin<'_>, mut guest: &UnixStream) {
    // Failures mean that the guest is gone, or that our input is; both are the end of it.
    let _ = match stdin {
        Stdin::Null => Ok(()),
        Stdin::Bytes(bytes) => guest.write_all(bytes),
        Stdin::Inherit => feed_own(guest),
    };
    let _ = guest.shutdown(Shutdown::Write);
}

fn feed_own(mut guest: &UnixStream) -> io::Result<()> {
    let own = io::stdin();
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut watched = [
            PollFd::from_borrowed_fd(own.as_fd(), PollFlags::IN),
            // Asked for nothing, but the end is told in any case.
            PollFd::from_borrowed_fd(guest.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !watched[1].revents().is_empty() {
            return Ok(());
        }
        // Past the buffer of `io::stdin`, which nobody has filled.
        let count = rustix::io::read(own.as_fd(), &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        guest.write_all(&buffer[..count])?;
    }
}
