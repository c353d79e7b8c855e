// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Writes a log.

use super::walk::Walk;
use super::{algorithm, EventError, HeaderError};
use crate::{EventType, MrIndex};
use core::fmt;
use tdx_uapi::{Digest, DIGEST_LEN};

/// The header that edk2 writes, too: RTMR0, version 2.0 without errata, SHA-384 alone, no vendor data.
const HEADER: [u8; 65] = {
    const DATA: usize = 32;
    const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";
    let mut header = [0; 65];
    header[0] = MrIndex::RTMR0.0 as u8;
    header[4] = EventType::NO_ACTION.0 as u8;
    header[28] = (header.len() - DATA) as u8;
    let mut at = 0;
    while at < SIGNATURE.len() {
        header[DATA + at] = SIGNATURE[at];
        at += 1;
    }
    header[DATA + 21] = 2; // The major version.
    header[DATA + 23] = 2; // UINTN has 2 times 32 bits.
    header[DATA + 24] = 1; // One algorithm, and the length of its digests.
    header[DATA + 28] = algorithm::SHA384 as u8;
    header[DATA + 30] = DIGEST_LEN as u8;
    header
};

/// An event without its data: register, type, one digest with its algorithm, and the data's length.
const EVENT_LEN: usize = 4 + 4 + 4 + 2 + DIGEST_LEN + 4;

/// What the area is filled with behind the last event.
const FILL: u8 = 0xff;

/// A log that grows in an area of the firmware's.
///
/// Events are added by [`Measurement`](crate::Measurement) only, so that none is without its extension. Once one had no
/// room the log is *truncated*, and no further one is added: what is there is a beginning, without holes.
///
/// # Invariants
///
/// `used` bytes of the area are a header and whole events, and the others are 0xff.
#[derive(Debug)]
pub struct LogWriter<'a> {
    area: &'a mut [u8],
    used: usize,
    last_event: usize,
    truncated: bool,
}

impl<'a> LogWriter<'a> {
    /// Begins a log: writes the header to the area's front, and 0xff to the rest. TDVF's area has 64 KiB.
    ///
    /// # Errors
    ///
    /// [`OpenError::Area`] when not even the header has room.
    pub fn new(area: &'a mut [u8]) -> Result<Self, OpenError> {
        let len = area.len();
        let (header, rest) = area
            .split_at_mut_checked(HEADER.len())
            .ok_or(OpenError::Area { len })?;
        header.copy_from_slice(&HEADER);
        rest.fill(FILL);
        Ok(Self {
            area,
            used: HEADER.len(),
            last_event: 0,
            truncated: false,
        })
    }

    /// Goes on with a log that an earlier phase of the boot left in the area.
    ///
    /// `truncated` says whether that phase had an event that did not fit; the log itself does not tell.
    ///
    /// # Errors
    ///
    /// When what is in the area is no log, or one of its events is broken.
    pub fn resume(area: &'a mut [u8], truncated: bool) -> Result<Self, OpenError> {
        let mut walk = Walk::new(area).map_err(OpenError::Header)?;
        let mut last_event = 0;
        let used = loop {
            let offset = walk.offset();
            match walk.step().map_err(OpenError::Event)? {
                Some(_) => last_event = offset,
                None => break offset,
            }
        };
        area[used..].fill(FILL);
        Ok(Self {
            area,
            used,
            last_event,
            truncated,
        })
    }

    /// The log, without what the area is filled with.
    pub fn bytes(&self) -> &[u8] {
        &self.area[..self.used]
    }

    /// The area.
    pub fn area(&self) -> &[u8] {
        self.area
    }

    /// Where in the area the last event begins; 0, which is the header, when there is none.
    pub fn last_event(&self) -> usize {
        self.last_event
    }

    /// Whether events are missing at the end because they had no room.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Nothing more is added.
    pub(crate) fn mark_truncated(&mut self) {
        self.truncated = true;
    }

    /// Room for an event with `data_len` bytes of data, if there is any.
    pub(crate) fn reserve(&mut self, data_len: usize) -> Option<Room<'_>> {
        if self.truncated {
            return None;
        }
        let size = u32::try_from(data_len).ok()?;
        let end = data_len.checked_add(EVENT_LEN)?.checked_add(self.used)?;
        Some(Room {
            size,
            event: self.area.get_mut(self.used..end)?,
            used: &mut self.used,
            last_event: &mut self.last_event,
        })
    }
}

/// Room for an event.
pub(crate) struct Room<'a> {
    /// As many bytes as the event has.
    event: &'a mut [u8],
    /// How many of them are data.
    size: u32,
    used: &'a mut usize,
    last_event: &'a mut usize,
}

impl Room<'_> {
    /// Writes the event. `data` has together as many bytes as room was reserved for.
    pub(crate) fn write(self, mr: MrIndex, event_type: EventType, digest: &Digest, data: &[&[u8]]) {
        let fields: [&[u8]; 6] = [
            &mr.0.to_le_bytes(),
            &event_type.0.to_le_bytes(),
            &1u32.to_le_bytes(),
            &algorithm::SHA384.to_le_bytes(),
            &digest.0,
            &self.size.to_le_bytes(),
        ];
        let mut at = 0;
        for part in fields.iter().chain(data) {
            let Some(to) = self.event.get_mut(at..at + part.len()) else {
                break;
            };
            to.copy_from_slice(part);
            at += part.len();
        }
        *self.last_event = *self.used;
        *self.used += self.event.len();
    }
}

/// Why an area cannot be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// It is too small for a header.
    Area {
        /// How many bytes it has.
        len: usize,
    },
    /// There is no log in it to go on with.
    Header(HeaderError),
    /// The log in it is broken, so that its end is not known.
    Event(EventError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area { len } => write!(
                f,
                "an area of {len} bytes has no room for a log's header of {}; TDVF's has 65536",
                HEADER.len()
            ),
            Self::Header(error) => write!(f, "there is no log to go on with: {error}"),
            Self::Event(error) => write!(f, "the log to go on with is broken: {error}"),
        }
    }
}

impl core::error::Error for OpenError {}
