// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gives a command in the guest the user's terminal.
//!
//! In the guest the command has a terminal of its own, a virtio console; the user's terminal passes keys and output on
//! unchanged, so that line editing, job control and Ctrl-C are the guest's.

use super::control::Silence;
use super::failure::{Failure, What};
use super::image::Boot;
use super::qemu::Kind;
use super::session::{Session, Trouble};
use super::{Ended, Guest};
use anyhow::{anyhow, Context};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::termios::{tcgetattr, tcgetwinsize, tcsetattr, OptionalActions, Termios};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::low_level::{pipe, unregister};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The key that ends the guest when it comes [`TIMES`] times [`WITHIN`] a second: Ctrl-].
const ESCAPE: u8 = 0x1d;
const TIMES: usize = 3;
const WITHIN: Duration = Duration::from_secs(1);

/// See [`Guest::terminal`].
pub(crate) fn run(
    guest: &Guest,
    command: &[OsString],
    limit: Option<Duration>,
) -> Result<Ended, Failure> {
    let (rows, columns) = size().ok_or_else(|| anyhow!("standard input is not a terminal"))?;
    let kind = std::env::var_os("TERM").unwrap_or_else(|| "linux".into());
    let boot = Boot {
        command,
        input: true,
        terminal: Some((kind, rows, columns)),
    };
    // Until that is done Ctrl-C is the user's way out.
    let (mut session, kind) = Session::boot(guest, &boot, limit)?;
    let Kind::Terminal(screen) = kind else {
        return Err(anyhow!("the machine was made for streams").into());
    };
    let keys = screen.try_clone().context("cannot share the terminal")?;
    let signals = Signals::listen()?;
    let _raw = Raw::enter()?;
    std::thread::scope(|scope| {
        scope.spawn(move || show(screen));
        let outcome = follow(&mut session, keys, &signals);
        if outcome.is_err() {
            // What comes next is ours, and the guest may have stopped in the middle of a line.
            let _ = io::stdout().write_all(b"\r\n");
        }
        session.conclude(outcome)
    })
}

/// The terminal's rows and columns, if there is one.
fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdin()).ok()?;
    // Serial terminals do not know theirs.
    Some(match (size.ws_row, size.ws_col) {
        (0, _) | (_, 0) => (24, 80),
        size => size,
    })
}

/// Shows what the guest writes, to the end.
fn show(mut screen: UnixStream) {
    let mut own = io::stdout();
    let mut buffer = [0; 1 << 14];
    while let Ok(count @ 1..) = screen.read(&mut buffer) {
        if own
            .write_all(&buffer[..count])
            .and_then(|()| own.flush())
            .is_err()
        {
            break;
        }
    }
}

/// Passes keys and sizes on until the command has ended.
fn follow(session: &mut Session, mut keys: UnixStream, signals: &Signals) -> Result<(), Trouble> {
    let mut control = session
        .control
        .handle()
        .map_err(|error| What::Protocol(error.to_string()))?;
    let mut escapes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let own = io::stdin();
        let mut watched = [
            PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(signals.ends.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(signals.changes.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(own.as_fd(), PollFlags::IN),
        ];
        let left = session
            .end()
            .map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(session.silent(Silence::TimedOut));
        }
        let wait = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut watched, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(What::Output(error.into()).into()),
        }
        let [said, end, change, typed] = watched.map(|fd| !fd.revents().is_empty());
        if said {
            session.done()?;
            return session.finish();
        }
        if end {
            return Err(What::Stopped.into());
        }
        if change {
            signals.forget_changes();
            // After being stopped and continued the shell has set the terminal to its own liking.
            let _ = Raw::set();
            if let Some((rows, columns)) = size() {
                let _ = control.write_all(format!("winsize {rows} {columns}\n").as_bytes());
            }
        }
        if typed {
            // Nothing to read, or a failure to do so: the terminal is gone.
            let count = rustix::io::read(own.as_fd(), &mut buffer).unwrap_or(0);
            if count == 0 || escaped(&mut escapes, &buffer[..count], Instant::now()) {
                return Err(What::Stopped.into());
            }
            // If it is gone, the control channel says so.
            let _ = keys.write_all(&buffer[..count]);
        }
    }
}

/// Whether with these keys the user has asked to end the guest. `times` are those of the escapes so far.
fn escaped(times: &mut Vec<Instant>, keys: &[u8], now: Instant) -> bool {
    for &key in keys {
        if key == ESCAPE {
            times.push(now);
        } else {
            times.clear();
        }
    }
    times.retain(|time| now.duration_since(*time) < WITHIN);
    times.len() >= TIMES
}

/// Signals as things to poll.
#[derive(Debug)]
struct Signals {
    /// Readable once we have been told to end.
    ends: UnixStream,
    /// Readable once the terminal may have changed.
    changes: UnixStream,
    registered: Vec<signal_hook::SigId>,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let (ends, told_to_end) = UnixStream::pair()?;
        let (changes, told_to_change) = UnixStream::pair()?;
        changes.set_nonblocking(true)?;
        let mut signals = Self {
            ends,
            changes,
            registered: Vec::new(),
        };
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let id = pipe::register(signal, told_to_end.try_clone()?)?;
            signals.registered.push(id);
        }
        for signal in [SIGWINCH, SIGCONT] {
            let id = pipe::register(signal, told_to_change.try_clone()?)?;
            signals.registered.push(id);
        }
        Ok(signals)
    }

    fn forget_changes(&self) {
        let mut buffer = [0; 64];
        while matches!((&self.changes).read(&mut buffer), Ok(1..)) {}
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

/// The user's terminal passing everything through. It is restored when this is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
        let guard = Self(before);
        Self::set().context("cannot change the terminal's settings")?;
        Ok(guard)
    }

    fn set() -> io::Result<()> {
        let mut raw = tcgetattr(io::stdin())?;
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &raw)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Failure means that there is no terminal any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, ESCAPE};
    use std::time::{Duration, Instant};

    #[test]
    fn three_escapes_in_a_second_end_the_guest() {
        let now = Instant::now();
        let mut times = Vec::new();
        assert!(!escaped(&mut times, &[ESCAPE, ESCAPE], now));
        assert!(escaped(
            &mut times,
            &[ESCAPE],
            now + Duration::from_millis(900)
        ));
    }

    #[test]
    fn slow_or_interrupted_escapes_do_not() {
        let now = Instant::now();
        let mut times = Vec::new();
        assert!(!escaped(&mut times, &[ESCAPE, ESCAPE, b'x', ESCAPE], now));
        let later = now + Duration::from_millis(1100);
        assert!(!escaped(&mut times, &[ESCAPE, ESCAPE], later));
    }
}
