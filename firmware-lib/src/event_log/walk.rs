// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From one event of a log to the next, which reader and writer share.

use super::spec_id::Algorithms;
use super::SpecId;
use crate::cursor::Cursor;
use crate::{EventType, MrIndex};
use core::fmt;
use tdx_uapi::{Digest, DIGEST_LEN};
use zerocopy::FromBytes;

/// An event as it lies in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) mr: MrIndex,
    pub(super) event_type: EventType,
    /// Pairs of an algorithm and its digest, all of known length.
    pub(super) digests: &'a [u8],
    pub(super) sha384: Option<&'a Digest>,
    pub(super) data: &'a [u8],
    /// How many bytes the whole has.
    pub(super) len: usize,
}

/// Walks through a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    log: &'a [u8],
    spec_id: SpecId<'a>,
    /// Where the event is that comes next.
    offset: usize,
    /// From here on there are only zeros.
    zeros: usize,
}

impl<'a> Walk<'a> {
    /// Begins behind the header.
    pub(super) fn new(log: &'a [u8]) -> Result<Self, HeaderError> {
        let (spec_id, offset) = SpecId::parse(log)?;
        let zeros = log
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        Ok(Self {
            log,
            spec_id,
            offset,
            zeros,
        })
    }

    pub(super) fn spec_id(&self) -> &SpecId<'a> {
        &self.spec_id
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The event that comes next, `None` behind the last one. After an error it is the same event still.
    pub(super) fn step(&mut self) -> Result<Option<Record<'a>>, EventError> {
        let rest = self.log.get(self.offset..).unwrap_or(&[]);
        if self.offset >= self.zeros || is_fill(rest) {
            return Ok(None);
        }
        let record = match legacy_header(rest) {
            Some(record) => record,
            None => record(rest, self.spec_id.list()).map_err(|kind| EventError {
                offset: self.offset,
                kind,
            })?,
        };
        self.offset += record.len;
        Ok(Some(record))
    }
}

/// Whether this is what the area is filled with. A register of -1 alone is not: logs of one cloud provider have events
/// with it.
fn is_fill(rest: &[u8]) -> bool {
    rest.iter().take(8).all(|byte| *byte == 0xff)
}

/// A further header, which has the older form.
fn legacy_header(rest: &[u8]) -> Option<Record<'_>> {
    let mut cursor = Cursor::new(rest);
    let mr = MrIndex(cursor.u32()?);
    let event_type = EventType(cursor.u32()?);
    let sha1: &[u8; 20] = cursor.array()?;
    let size = cursor.u32()?;
    let data = cursor.take_u32(size)?;
    let is_header =
        event_type == EventType::NO_ACTION && *sha1 == [0; 20] && SpecId::is_spec_id(data);
    is_header.then(|| Record {
        mr,
        event_type,
        digests: &[],
        sha384: None,
        data,
        len: rest.len() - cursor.rest().len(),
    })
}

/// A `TCG_PCR_EVENT2`, of which the PCR is the register: `CC_EVENT`.
fn record<'a>(rest: &'a [u8], algorithms: Algorithms<'_>) -> Result<Record<'a>, EventErrorKind> {
    let mut cursor = Cursor::new(rest);
    let cut = |what| move || EventErrorKind::Cut { what };
    let mr = MrIndex(cursor.u32().ok_or_else(cut("register"))?);
    let event_type = EventType(cursor.u32().ok_or_else(cut("type"))?);
    let count = cursor.u32().ok_or_else(cut("number of digests"))?;
    let from = cursor.rest();
    let mut sha384 = None;
    for _ in 0..count {
        let algorithm = cursor.u16().ok_or_else(cut("digest's algorithm"))?;
        let len = algorithms
            .digest_len(algorithm)
            .ok_or(EventErrorKind::Algorithm { algorithm })?;
        let digest = cursor.take(len).ok_or_else(cut("digest"))?;
        if algorithm == super::algorithm::SHA384 && sha384.is_none() {
            sha384 = Digest::ref_from_bytes(digest).ok();
        }
    }
    let digests = &from[..from.len() - cursor.rest().len()];
    let size = cursor.u32().ok_or_else(cut("size"))?;
    let left = cursor.rest().len();
    let data = cursor
        .take_u32(size)
        .ok_or(EventErrorKind::Size { size, left })?;
    Ok(Record {
        mr,
        event_type,
        digests,
        sha384,
        data,
        len: rest.len() - cursor.rest().len(),
    })
}

/// Why bytes are no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// There is no room for a header.
    Short {
        /// How many bytes there are.
        len: usize,
    },
    /// The header's data goes beyond the end.
    Size {
        /// How many bytes of data the header claims to have.
        size: u32,
        /// How many there are.
        left: usize,
    },
    /// The first event is another one.
    Signature {
        /// Its register.
        mr: MrIndex,
        /// Its type.
        event_type: EventType,
    },
    /// The header's list of algorithms goes beyond its data.
    Data {
        /// How many bytes the data has.
        len: usize,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no CC event log: ")?;
        match self {
            Self::Short { len } => write!(f, "{len} bytes have no room for a header"),
            Self::Size { size, left } => write!(
                f,
                "the header claims {size} bytes of data, of which there are {left}"
            ),
            Self::Signature { mr, event_type } => write!(
                f,
                "it begins with {event_type} for {mr} instead of \"Spec ID Event03\""
            ),
            Self::Data { len } => write!(
                f,
                "the header's algorithms are more than its {len} bytes of data have room for"
            ),
        }
    }
}

impl core::error::Error for HeaderError {}

/// What is wrong with an event. Those after it cannot be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError {
    /// Where in the log the event begins.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: EventErrorKind,
}

/// What is wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventErrorKind {
    /// The log ends inside of it.
    Cut {
        /// Where.
        what: &'static str,
    },
    /// Its data goes beyond the end of the log.
    Size {
        /// How many bytes of data it claims to have.
        size: u32,
        /// How many there are.
        left: usize,
    },
    /// A digest has an algorithm that the header does not know, so that its length is not known either.
    Algorithm {
        /// The algorithm.
        algorithm: u16,
    },
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event at offset {:#x} of the log ", self.offset)?;
        match self.kind {
            EventErrorKind::Cut { what } => write!(f, "is cut: the log ends in its {what}"),
            EventErrorKind::Size { size, left } => write!(
                f,
                "claims {size} bytes of data, of which there are {left}"
            ),
            EventErrorKind::Algorithm { algorithm } => write!(
                f,
                "has a digest of algorithm {algorithm:#x}, of which the header says nothing (SHA-384 is {:#x}, of {DIGEST_LEN} bytes)",
                super::algorithm::SHA384
            ),
        }
    }
}

impl core::error::Error for EventError {}
