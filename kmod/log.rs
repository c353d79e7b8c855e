// SPDX-License-Identifier: GPL-2.0-only

//! What the log is told of requests that failed, and how often: whoever may open the device may also
//! repeat what fails.
//!
//! C's `___ratelimit()` needs a lock that cannot be initialised in a Rust static. This has none,
//! and costs next to nothing when it lets nothing pass.
//!
//! C header: `include/linux/ratelimit_types.h`

use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Says what has failed, and with which status.
#[cold]
pub(crate) fn failure(what: &str, name: Option<&str>, status: u64) {
    if LIMIT.pass() {
        let name = name.unwrap_or("unknown status");
        pr_err!("{what}: {name} (0x{status:x})\n");
    }
}

/// Says what the host has answered in vain.
#[cold]
pub(crate) fn refusal(why: &str) {
    if LIMIT.pass() {
        pr_err!("refused the host's answer: {why}\n");
    }
}

/// How much is said of requests.
static LIMIT: RateLimit = RateLimit::new();

/// Lets [`RateLimit::BURST`] lines pass in [`RateLimit::INTERVAL`] jiffies.
///
/// Threads that begin a new interval at the same moment may have a few more pass.
struct RateLimit {
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
    const fn new() -> Self {
        Self {
            begin: Atomic::new(0),
            left: Atomic::new(Self::BURST),
        }
    }

    /// Whether one more may pass.
    fn pass(&self) -> bool {
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
