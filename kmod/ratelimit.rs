// SPDX-License-Identifier: GPL-2.0-only

//! How much is written to the log: whoever may open the device may also repeat what fails.
//!
//! C's `___ratelimit()` needs a lock that cannot be initialised in a Rust static. This has none,
//! and costs next to nothing when it lets nothing pass.
//!
//! C header: `include/linux/ratelimit_types.h`

use kernel::{
    bindings,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Lets [`RateLimit::BURST`] lines pass in [`RateLimit::INTERVAL`] jiffies.
///
/// Threads that begin a new interval at the same moment may have a few more pass.
pub(crate) struct RateLimit {
    /// When the interval began, in jiffies.
    begin: Atomic<usize>,

    /// How many may still pass.
    left: Atomic<i32>,
}

impl RateLimit {
    /// C's `DEFAULT_RATELIMIT_BURST`.
    const BURST: i32 = 10;

    /// C's `DEFAULT_RATELIMIT_INTERVAL`, 5 s. (`bindings::HZ` is the one of userspace.)
    const INTERVAL: usize = 5 * bindings::CONFIG_HZ as usize;

    /// A limit of which nothing is used up.
    pub(crate) const fn new() -> Self {
        Self {
            begin: Atomic::new(0),
            left: Atomic::new(Self::BURST),
        }
    }

    /// Whether one more may pass.
    pub(crate) fn pass(&self) -> bool {
        // SAFETY: `jiffies` is a machine word that may be read at any time.
        let now = unsafe { (&raw const bindings::jiffies).read_volatile() };
        if now.wrapping_sub(self.begin.load(Relaxed)) > Self::INTERVAL {
            self.begin.store(now, Relaxed);
            self.left.store(Self::BURST, Relaxed);
        }
        // Looking first keeps the number from sinking for ever.
        self.left.load(Relaxed) > 0 && self.left.fetch_sub(1, Relaxed) > 0
    }
}
