// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How long a call may take.

use crate::{Error, Step};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// When a call gives up. Made from how long it may take: `Duration::from_secs(30).into()`.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    begin: Instant,
    limit: Duration,
}

impl From<Duration> for Deadline {
    fn from(limit: Duration) -> Self {
        Self {
            begin: Instant::now(),
            limit,
        }
    }
}

impl Deadline {
    /// What is left of the time.
    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.begin.elapsed())
    }

    /// The error that says that it has passed.
    pub(super) fn passed(&self, step: Step) -> Error {
        Error::Timeout {
            step,
            limit: self.limit,
        }
    }

    /// Does it again, after a moment, as long as `again` says so of the error and there is time.
    pub(super) fn repeat<T, E>(
        &self,
        mut attempt: impl FnMut() -> Result<T, E>,
        again: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let mut pause = Duration::from_micros(50);
        loop {
            match attempt() {
                Err(error) if again(&error) && !self.left().is_zero() => {
                    thread::sleep(pause.min(self.left()));
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
                result => return result,
            }
        }
    }

    /// Runs what may block for longer in a thread, which goes on for itself if the deadline passes.
    pub(super) fn run<T: Send + 'static>(
        &self,
        step: Step,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("tdx-agent".into())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = sender.send(work());
            });
        if let Err(source) = thread {
            return Err(Error::Io {
                step,
                path: "/proc/self/task".into(),
                source,
            });
        }
        match receiver.recv_timeout(self.left()) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.passed(step)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::Answer {
                step,
                what: "the thread that asked has panicked".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_left_alone() {
        let deadline = Deadline::from(Duration::from_millis(20));
        let (release, wait) = mpsc::channel::<()>();
        let result = deadline.run(Step::Quote, move || {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(
            result,
            Err(Error::Timeout {
                step: Step::Quote,
                ..
            })
        ));
        drop(release);
    }

    #[test]
    fn errors_that_may_go_away_are_tried_again() {
        let mut left = 3;
        let result = Deadline::from(Duration::from_secs(60)).repeat(
            || match left {
                0 => Ok("done"),
                _ => {
                    left -= 1;
                    Err(left)
                }
            },
            |_| true,
        );
        assert_eq!(result, Ok("done"));
        let result: Result<(), _> =
            Deadline::from(Duration::from_millis(1)).repeat(|| Err("busy"), |_| true);
        assert_eq!(result, Err("busy"));
    }
}
