// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest on a terminal, driven through a pseudoterminal.

use super::Check;
use crate::vm::Guest;
use anyhow::{bail, ensure, Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use rustix::pty::{ioctl_tiocgptpeer, openpt, unlockpt, OpenptFlags};
use rustix::termios::{tcgetattr, tcsetwinsize, LocalModes, Winsize};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

pub(super) const CHECKS: &[Check] = &[
    ("shell_has_a_proper_terminal", shell_has_a_proper_terminal),
    (
        "terminal_is_restored_after_a_panic",
        terminal_is_restored_after_a_panic,
    ),
    (
        "terminal_is_restored_after_a_signal",
        terminal_is_restored_after_a_signal,
    ),
    ("escape_ends_a_hung_guest", escape_ends_a_hung_guest),
    (
        "command_on_a_terminal_returns_its_status",
        command_on_a_terminal_returns_its_status,
    ),
];

/// This program on a terminal that we hold the other end of.
struct Screen {
    keys: File,
    /// The terminal's own side, to look at its settings.
    terminal: File,
    shown: Receiver<Vec<u8>>,
    /// What has been shown and not been waited for yet.
    pending: Vec<u8>,
    program: Child,
}

impl Screen {
    fn start(guest: &Guest, arguments: &[&str]) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keys = openpt(flags)?;
        unlockpt(&keys)?;
        let terminal = File::from(ioctl_tiocgptpeer(&keys, flags)?);
        tcsetwinsize(&terminal, size(33, 101))?;
        let program = super::this_program(guest)?
            .args(arguments)
            .env("TERM", "xterm-256color")
            .stdin(terminal.try_clone()?)
            .stdout(terminal.try_clone()?)
            .stderr(terminal.try_clone()?)
            .spawn()?;
        let keys = File::from(keys);
        let (show, shown) = channel();
        let mut screen = keys.try_clone()?;
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                if show.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            keys,
            terminal,
            shown,
            pending: Vec::new(),
            program,
        })
    }

    /// Waits until `text` has been shown, and forgets what came before its end.
    fn expect(&mut self, text: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let found = self
                .pending
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.pending.drain(..at + text.len());
                return Ok(());
            }
            match self
                .shown
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.pending.extend_from_slice(&bytes),
                Err(_) => bail!(
                    "no {text:?} on the screen, but {:?}",
                    String::from_utf8_lossy(&self.pending)
                ),
            }
        }
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        // A shell that is about to print its prompt would throw keys away that come too early.
        std::thread::sleep(Duration::from_millis(500));
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    /// Waits for the program's end, after which the terminal has to be as before.
    fn end(&mut self) -> Result<ExitStatus> {
        let end = Instant::now() + Duration::from_secs(120);
        let status = loop {
            match self.program.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > end => bail!("the program does not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let modes = tcgetattr(&self.terminal)?.local_modes;
        let cooked = LocalModes::ICANON | LocalModes::ISIG | LocalModes::ECHO;
        ensure!(
            modes.contains(cooked),
            "the terminal was not restored: {modes:?}"
        );
        Ok(status)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn shell_has_a_proper_terminal(guest: &Guest) -> Result<()> {
    let mut screen = Screen::start(guest, &[])?;
    screen.expect(":~# ")?;
    screen.press("tty; stty size; echo $TERM $((6 * 7))\r")?;
    screen.expect("/dev/hvc0\r\n33 101\r\nxterm-256color 42\r\n")?;
    screen.expect(":~# ")?;
    // Ctrl-C reaches the command and nothing else.
    screen.press("sleep 1000\r")?;
    screen.expect("sleep 1000\r\n")?;
    screen.press("\x03")?;
    screen.expect(":~# ")?;
    // Job control.
    screen.press("cat\r")?;
    screen.press("\x1a")?;
    screen.expect("Stopped")?;
    screen.press("jobs; kill -9 %1; wait; echo st''ill here\r")?;
    screen.expect("still here")?;
    // A new size.
    tcsetwinsize(&screen.terminal, size(40, 120))?;
    kill_process(Pid::from_child(&screen.program), Signal::WINCH)?;
    screen.press("sleep 1; stty size\r")?;
    screen.expect("40 120\r\n")?;
    screen.press("exit 3\r")?;
    let status = screen.end()?;
    ensure!(status.code() == Some(3), "{status}");
    Ok(())
}

fn terminal_is_restored_after_a_panic(guest: &Guest) -> Result<()> {
    let mut screen = Screen::start(guest, &[])?;
    screen.expect(":~# ")?;
    screen.press("echo c >/proc/sysrq-trigger\r")?;
    screen.expect("the guest panicked: Kernel panic - not syncing: sysrq triggered crash")?;
    let status = screen.end()?;
    ensure!(status.code() == Some(125), "{status}");
    Ok(())
}

fn terminal_is_restored_after_a_signal(guest: &Guest) -> Result<()> {
    let mut screen = Screen::start(guest, &[])?;
    screen.expect(":~# ")?;
    kill_process(Pid::from_child(&screen.program), Signal::TERM)?;
    let status = screen.end().context("after SIGTERM")?;
    ensure!(!status.success(), "{status}");
    Ok(())
}

fn escape_ends_a_hung_guest(guest: &Guest) -> Result<()> {
    let mut screen = Screen::start(guest, &[])?;
    screen.expect(":~# ")?;
    screen.press("trap '' INT; while :; do :; done\r")?;
    screen.press("\x1d\x1d\x1d")?;
    screen.expect("the guest was stopped")?;
    let status = screen.end()?;
    ensure!(status.code() == Some(125), "{status}");
    Ok(())
}

fn command_on_a_terminal_returns_its_status(guest: &Guest) -> Result<()> {
    let mut screen = Screen::start(
        guest,
        &["--tty", "--", "sh", "-c", "tty; seq 1 20000; exit 9"],
    )?;
    screen.expect("/dev/hvc0\r\n1\r\n2\r\n")?;
    screen.expect("\r\n19999\r\n20000\r\n")?;
    let status = screen.end()?;
    ensure!(status.code() == Some(9), "{status}");
    Ok(())
}
