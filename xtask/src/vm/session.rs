// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One boot of a guest from start to end, whichever channels its command uses.

use super::console::Console;
use super::control::{Control, Said, Silence};
use super::failure::{Failure, What};
use super::image::{self, Boot};
use super::qemu::{Kind, Qemu};
use super::{Ended, Guest};
use anyhow::Context;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long things may take that have no reason to take long: killing what the command left behind, powering off.
const GRACE: Duration = Duration::from_secs(60);

/// How many times a guest is booted at most when it is lost to the emulation.
const TRIES: usize = 3;

/// A booting or running guest.
#[derive(Debug)]
pub(crate) struct Session {
    qemu: Qemu,
    pub(crate) control: Control,
    log: PathBuf,
    started: Instant,
    boot_limit: Duration,
    limit: Option<Duration>,
    /// Whether the guest may begin anew.
    resets: bool,
    /// The command's status, once it is known.
    status: Option<u8>,
}

/// How a session went wrong, before QEMU and the console have been asked for more.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This happened.
    Known(What),
    /// The control channel was closed: the machine is gone, for whatever reason.
    Gone,
}

impl From<What> for Trouble {
    fn from(what: What) -> Self {
        Self::Known(what)
    }
}

impl Session {
    /// Boots the machine up to where the command starts.
    pub(crate) fn boot(
        guest: &Guest,
        boot: &Boot<'_>,
        limit: Option<Duration>,
    ) -> Result<(Self, Kind), Failure> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut session, kind) = Self::start(guest, boot, started, limit)?;
            let Err(trouble) = session.ready() else {
                return Ok((session, kind));
            };
            match session.conclude(Err(trouble)) {
                Err(Failure::Guest { mut console, .. })
                    if tries < TRIES && was_lost_to_emulation(&console.text) =>
                {
                    console.discard();
                }
                Err(failure) => return Err(failure),
                Ok(_) => return Err(anyhow::anyhow!("the guest ended before it began").into()),
            }
        }
    }

    /// Starts the machine.
    fn start(
        guest: &Guest,
        boot: &Boot<'_>,
        started: Instant,
        limit: Option<Duration>,
    ) -> anyhow::Result<(Self, Kind)> {
        let image = image::assemble(guest, boot)?;
        std::fs::create_dir_all(&guest.logs)
            .with_context(|| format!("cannot make the folder {}", guest.logs.display()))?;
        let log = tempfile::Builder::new()
            .prefix(&format!("{}-", guest.name))
            .suffix(".console.log")
            .tempfile_in(&guest.logs)
            .with_context(|| format!("cannot write in {}", guest.logs.display()))?
            .into_temp_path();
        let (qemu, channels) = Qemu::start(guest, image, &log, boot.terminal.is_some())?;
        let session = Self {
            qemu,
            control: Control::new(channels.control),
            log: log.keep().context("cannot keep the console's log")?,
            started,
            boot_limit: guest.boot_limit,
            limit,
            resets: guest.resets,
            status: None,
        };
        Ok((session, channels.kind))
    }

    /// When the caller's limit is over.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.limit.map(|limit| self.started + limit)
    }

    /// Waits until the command is started.
    fn ready(&mut self) -> Result<(), Trouble> {
        let boot_end = Instant::now() + self.boot_limit;
        let end = self.end().map_or(boot_end, |end| end.min(boot_end));
        match self.control.next(Some(end)) {
            Ok(Said::Ready) => Ok(()),
            Ok(Said::Failed(why)) => {
                self.power_off();
                Err(What::NotReady(why).into())
            }
            Ok(other) => Err(unexpected(&other)),
            Err(Silence::TimedOut) if end == boot_end => {
                Err(What::BootHung(self.boot_limit).into())
            }
            Err(silence) => Err(self.silent(silence)),
        }
    }

    /// Waits until the command has ended and all that it wrote is on its way. Returns how many bytes that is, of
    /// standard output and standard error.
    pub(crate) fn done(&mut self) -> Result<(u64, u64), Trouble> {
        let status = loop {
            match self.control.next(self.end()) {
                Ok(Said::Exited(status)) => break status,
                // Of what it wrote before the reset, nothing is awaited.
                Ok(Said::Ready) if self.resets => {}
                Ok(other) => return Err(unexpected(&other)),
                Err(silence) => return Err(self.silent(silence)),
            }
        };
        self.status = Some(status);
        match self.control.next(Some(Instant::now() + GRACE)) {
            Ok(Said::Done(out, err)) => Ok((out, err)),
            Ok(other) => Err(unexpected(&other)),
            Err(Silence::TimedOut) => Err(What::EndHung {
                status,
                how: "a process that the command has left behind cannot be killed",
            }
            .into()),
            Err(silence) => Err(self.silent(silence)),
        }
    }

    /// Lets the guest power off.
    pub(crate) fn finish(&mut self) -> Result<(), Trouble> {
        if self.power_off() {
            return Ok(());
        }
        Err(What::EndHung {
            status: self.status.unwrap_or_default(),
            how: "it did not power off",
        }
        .into())
    }

    fn power_off(&mut self) -> bool {
        self.control.bye();
        self.qemu.wait(GRACE).is_some()
    }

    /// What the guest's silence means.
    pub(crate) fn silent(&self, silence: Silence) -> Trouble {
        match silence {
            Silence::TimedOut => What::TimedOut(self.limit.unwrap_or_default()).into(),
            Silence::Nonsense(line) => What::Protocol(line).into(),
            Silence::Closed => Trouble::Gone,
        }
    }

    /// Ends the machine, if it has not ended, and makes the caller's result.
    pub(crate) fn conclude(mut self, outcome: Result<(), Trouble>) -> Result<Ended, Failure> {
        // A machine that is gone has closed its channels a moment before it ends.
        let gone = match outcome {
            Err(Trouble::Gone) => self.qemu.wait(GRACE),
            _ => None,
        };
        let ended = self.qemu.wait(Duration::ZERO);
        let stderr = self.qemu.end();
        let mut console = Console::read(&self.log);
        let what = match (outcome, self.status) {
            (Ok(()), Some(status)) => {
                // Powered off in order, or so it said.
                match ended.filter(|status| !status.success()) {
                    Some(status) => What::QemuDied { status, stderr },
                    None => {
                        if console.splats().is_empty() {
                            console.discard();
                        }
                        return Ok(Ended { status, console });
                    }
                }
            }
            (Ok(()), None) => What::Protocol("no status".into()),
            (Err(Trouble::Known(what)), _) => what,
            (Err(Trouble::Gone), _) => match gone {
                Some(status) if !status.success() => What::QemuDied { status, stderr },
                Some(_) => What::PoweredOff,
                None => What::Protocol("it closed the channel".into()),
            },
        };
        // After a panic the guest restarts, which ends the machine, or stands still if it was told to.
        let what = match (what, console.panic()) {
            (
                What::PoweredOff | What::BootHung(_) | What::TimedOut(_) | What::EndHung { .. },
                Some(message),
            ) => What::Panicked(message.to_owned()),
            (what, _) => what,
        };
        let innocent = matches!(what, What::Stopped | What::Output(_));
        if console.text.is_empty() || (innocent && console.splats().is_empty()) {
            console.discard();
        }
        Err(Failure::Guest {
            what,
            console: Box::new(console),
        })
    }
}

/// Whether the kernel fell over a fault of QEMU's, before any program ran.
///
/// Linux changes its code while other processors run it, by way of a breakpoint (arch/x86/kernel/alternative.c,
/// `smp_text_poke_batch_finish`). When a processor writes to code, QEMU throws translations of the old code away, and
/// then writes (accel/tcg/cputlb.c, `notdirty_write`). Where host processors are few, the thread may be held up between
/// the two, another one translate the old code, and run into a breakpoint that has long been removed. Seen about once in
/// seventy boots with four processors on a busy machine with two.
fn was_lost_to_emulation(console: &str) -> bool {
    console.contains("Oops: int3: ") && !console.contains("Run /init as init process")
}

fn unexpected(said: &Said) -> Trouble {
    What::Protocol(format!("{said:?}")).into()
}

#[cfg(test)]
mod tests {
    use super::was_lost_to_emulation;

    #[test]
    fn only_a_breakpoint_before_the_first_program_is_the_emulations_fault() {
        let race = "[    5.5] Oops: int3: 0000 [#1] SMP PTI\n[    5.6] Kernel panic - not syncing: Fatal\n";
        assert!(was_lost_to_emulation(race));
        assert!(!was_lost_to_emulation(&format!(
            "[    4.0] Run /init as init process\n{race}"
        )));
        assert!(!was_lost_to_emulation(
            "[    5.5] Oops: Oops: 0002 [#1] SMP\n"
        ));
    }
}
