// SPDX-License-Identifier: GPL-2.0-only

//! The buffers that there are.
//!
//! Sharing memory is slow, so that what was shared is kept. A buffer with a request that nobody waits
//! for any more, but that the host has not answered either, is the host's. It comes back when the
//! host answers at last, and is not missed until then: there are others.

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
    /// A pool without buffers.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            shelf <- new_mutex!(Shelf {
                idle: KVec::with_capacity(MAX, GFP_KERNEL)?,
                used: 0,
                lost: 0,
            }, "tdx_guest::Pool"),
        })
    }

    /// Takes a buffer that is free, makes another, or waits for one that is used.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is nobody to wait for: the host has them all. `ENOMEM`; those of
    /// [`Wait::pause`].
    pub(super) fn take(&self, wait: &Wait) -> Result<SharedBuffer> {
        loop {
            {
                let mut shelf = self.shelf.lock();
                if let Some(index) = shelf.idle.iter().position(is_free) {
                    let last = shelf.idle.len() - 1;
                    shelf.idle.swap(index, last);
                    if let Some(buffer) = shelf.idle.pop() {
                        shelf.used += 1;
                        return Ok(buffer);
                    }
                }
                if shelf.used + shelf.lost + shelf.idle.len() < MAX {
                    shelf.used += 1;
                    break;
                }
                if shelf.used == 0 {
                    return Err(EBUSY);
                }
            }
            wait.pause()?;
        }

        let buffer = SharedBuffer::new();
        if !matches!(buffer, Ok(Some(_))) {
            let mut shelf = self.shelf.lock();
            shelf.used -= 1;
            shelf.lost += usize::from(buffer.is_ok());
        }
        buffer?.ok_or(ENOMEM)
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

/// Whether the host has nothing to do with the buffer.
///
/// A host that lies here writes to a buffer of another request, and all that comes of that is an
/// answer which is none, as it could give at once.
fn is_free(buffer: &SharedBuffer) -> bool {
    buffer.status() != QuoteStatus::IN_FLIGHT
}
