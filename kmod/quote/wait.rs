// SPDX-License-Identifier: GPL-2.0-only

//! Waiting for the host.
//!
//! It does not say when it is done, so that somebody has to look: soon at first, because a quoting
//! service may take a millisecond, and then less and less often, so that the answer is seen a
//! thirty-second of the time late at most.

use kernel::{
    bindings,
    current,
    prelude::*,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// A time in which something is to happen.
pub(super) struct Wait {
    /// When it began.
    begin: Instant<Monotonic>,

    /// How long it is.
    timeout: Delta,
}

impl Wait {
    /// The shortest sleep, in microseconds.
    const SHORTEST: i64 = 100;

    /// The longest one.
    const LONGEST: i64 = 100_000;

    /// From here on a sleep ends when a signal comes. Before, the signal waits for its end; such short
    /// sleeps cannot be told in the kernel's ticks.
    const INTERRUPTIBLE: i64 = 20_000;

    /// The time begins now.
    pub(super) fn begin(timeout: Delta) -> Self {
        Self {
            begin: Instant::now(),
            timeout,
        }
    }

    /// Sleeps for a thirty-second of the time that has passed, but not beyond the end.
    ///
    /// What is waited for is looked at after each sleep, the last one included.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` at the end of the time, `EINTR` if a signal has come.
    pub(super) fn pause(&self) -> Result {
        if current!().signal_pending() {
            return Err(EINTR);
        }
        let passed = self.begin.elapsed();
        let left = (self.timeout - passed).as_micros_ceil();
        if left <= 0 {
            return Err(ETIMEDOUT);
        }
        let pause = (passed.as_micros_ceil() >> 5)
            .clamp(Self::SHORTEST, Self::LONGEST)
            .min(left);
        if pause < Self::INTERRUPTIBLE {
            fsleep(Delta::from_micros(pause));
        } else {
            // SAFETY: Whoever asks for a Quote can sleep.
            unsafe { bindings::msleep_interruptible((pause / 1000) as u32) };
        }
        Ok(())
    }
}
