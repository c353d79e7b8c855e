// SPDX-License-Identifier: GPL-2.0-only

//! The buffers that there are.
//!
//! Sharing memory is slow, so that what was shared is kept. The first buffer is made at once: later
//! the TD's memory may be in pieces that are too small.
//!
//! A buffer with a request that nobody waits for any more, but that the host has not answered
//! either, is the host's. It comes back when the host answers at last, and is not missed until then:
//! there are others.

use super::{
    buffer::SharedBuffer,
    wait::Wait, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};
use tdx_uapi::QuoteStatus;

/// How many buffers there may be: as many as QEMU takes requests at a time.
const MAX: usize = 16;

/// The buffers.
#[pin_data]
pub(super) struct Pool {
    /// Those that nobody uses, and how many others there are.
    #[pin]
    shelf: Mutex<Shelf>,
}

/// The buffers that nobody uses.
struct Shelf {
    /// Those that are free, and those that the host has, with room for all that there may be.
    idle: KVec<SharedBuffer>,

    /// How many are in use.
    used: usize,

    /// How many were lost when memory could not be shared.
    lost: usize,
}

/// How many buffers there are.
pub(crate) struct Counts {
    /// All that are shared with the host.
    pub(crate) shared: usize,

    /// Those that nobody waits for, but that the host has not answered.
    pub(crate) unanswered: usize,

    /// Those that were lost, because the host failed to share the memory.
    pub(crate) lost: usize,
}

impl Pool {
    /// A pool with one buffer, or none if that cannot be had now.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            shelf <- new_mutex!(Shelf::new()?, "tdx_guest::Pool"),
        })
    }

    /// Takes a buffer that is free, makes another, or waits for one that is used.
    ///
    /// # Errors
    ///
    /// If there is nobody to wait for, `EBUSY` where the host has them all, and `ENOMEM` where another
    /// could not be made, now or, because all that there may be were lost, ever; those of
    /// [`Wait::pause`].
    pub(super) fn take(&self, wait: &Wait) -> Result<SharedBuffer> {
        // One attempt at making another is enough: each that fails takes time, and may lose memory.
        let mut failed = false;
        loop {
            let mut shelf = self.shelf.lock();
            if let Some(buffer) = shelf.take_free() {
                return Ok(buffer);
            }
            if !failed && shelf.used + shelf.lost + shelf.idle.len() < MAX {
                shelf.used += 1;
                drop(shelf);
                match self.make() {
                    Some(buffer) => return Ok(buffer),
                    None => failed = true,
                }
                continue;
            }
            if shelf.used == 0 {
                let none = failed || shelf.idle.is_empty();
                return Err(if none { ENOMEM } else { EBUSY });
            }
            drop(shelf);
            wait.pause()?;
        }
    }

    /// Makes a buffer for one that counts as used already. If that fails, it no longer does.
    fn make(&self) -> Option<SharedBuffer> {
        let buffer = SharedBuffer::new();
        if !matches!(buffer, Ok(Some(_))) {
            let mut shelf = self.shelf.lock();
            shelf.used -= 1;
            shelf.lost += usize::from(buffer.is_ok());
        }
        buffer.ok().flatten()
    }

    /// Puts a buffer back.
    pub(super) fn put(&self, buffer: SharedBuffer) {
        let mut shelf = self.shelf.lock();
        shelf.used -= 1;
        // There is a place for it. If there were not, it would just be freed.
        let _ = shelf.idle.push_within_capacity(buffer);
    }

    /// How many buffers there are.
    pub(super) fn counts(&self) -> Counts {
        let shelf = self.shelf.lock();
        Counts {
            shared: shelf.idle.len() + shelf.used,
            unanswered: shelf.idle.iter().filter(|buffer| !is_free(buffer)).count(),
            lost: shelf.lost,
        }
    }
}

impl Shelf {
    /// A shelf with one buffer, or none if that cannot be had now.
    fn new() -> Result<Self> {
        let mut idle = KVec::with_capacity(MAX, GFP_KERNEL)?;
        let buffer = SharedBuffer::new();
        let lost = usize::from(matches!(buffer, Ok(None)));
        if let Ok(Some(buffer)) = buffer {
            // There is a place for it.
            let _ = idle.push_within_capacity(buffer);
        }
        Ok(Self {
            idle,
            used: 0,
            lost,
        })
    }

    /// Takes a buffer that is free, if there is one.
    fn take_free(&mut self) -> Option<SharedBuffer> {
        let index = self.idle.iter().position(is_free)?;
        let last = self.idle.len() - 1;
        self.idle.swap(index, last);
        let buffer = self.idle.pop()?;
        self.used += 1;
        Some(buffer)
    }
}

/// Whether the host has nothing to do with the buffer.
///
/// A host that lies here writes to a buffer of another request, and all that comes of that is an
/// answer which is none, as it could give at once.
fn is_free(buffer: &SharedBuffer) -> bool {
    buffer.status() != QuoteStatus::IN_FLIGHT
}
