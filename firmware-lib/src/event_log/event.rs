// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One event.

use super::walk::Record;
use super::{algorithm, DataCheck, SpecId};
use crate::cursor::Cursor;
use crate::event_data::EventData;
use crate::{EventType, HashEngine, MrIndex};
use core::fmt;
use tdx_call::RtmrIndex;
use tdx_uapi::{Digest, Hex};
use zerocopy::FromBytes;

/// Something that was measured: a `CC_EVENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where in the log it begins.
    pub offset: usize,
    /// The register that it names.
    pub mr: MrIndex,
    /// What was measured.
    pub event_type: EventType,
    /// What the register was extended with, by algorithm.
    pub digests: Digests<'a>,
    /// What describes the measured data, or is the measured data, depending on the type; [`Event::decode`] reads it.
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    pub(super) fn new(offset: usize, record: &Record<'a>, spec_id: &SpecId<'a>) -> Self {
        Self {
            offset,
            mr: record.mr,
            event_type: record.event_type,
            digests: Digests {
                bytes: record.digests,
                spec_id: *spec_id,
            },
            data: record.data,
        }
    }

    /// The SHA-384 digest.
    pub fn digest(&self) -> Option<&'a Digest> {
        self.digests.sha384()
    }

    /// The register that the event extended. `None` for [`EventType::NO_ACTION`], for MRTD and for what is no register.
    pub fn rtmr(&self) -> Option<RtmrIndex> {
        match self.event_type {
            EventType::NO_ACTION => None,
            _ => self.mr.rtmr(),
        }
    }

    /// What the data says.
    pub fn decode(&self) -> EventData<'a> {
        EventData::decode(self.mr, self.event_type, self.data)
    }

    /// Whether the digest is that of what the data says, for events of which the measured data is known.
    pub fn check(&self, engine: &impl HashEngine) -> DataCheck {
        DataCheck::of(self, engine)
    }
}

/// A line: register, type, digest, and what the data says.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.mr, self.event_type)?;
        match self.digest() {
            Some(digest) => write!(f, "{digest}")?,
            None => f.write_str("without SHA-384")?,
        }
        write!(f, ": {}", self.decode())
    }
}

/// The digests of an event, by [`algorithm`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digests<'a> {
    bytes: &'a [u8],
    spec_id: SpecId<'a>,
}

impl<'a> Digests<'a> {
    /// Pairs of an algorithm and a digest.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> + 'a {
        let mut cursor = Cursor::new(self.bytes);
        let spec_id = self.spec_id;
        core::iter::from_fn(move || {
            let algorithm = cursor.u16()?;
            let digest = cursor.take(spec_id.digest_len(algorithm)?)?;
            Some((algorithm, digest))
        })
    }

    /// The SHA-384 digest, the first one if there are several.
    pub fn sha384(&self) -> Option<&'a Digest> {
        self.iter()
            .find(|(algorithm, _)| *algorithm == algorithm::SHA384)
            .and_then(|(_, digest)| Digest::ref_from_bytes(digest).ok())
    }
}

impl fmt::Debug for Digests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(algorithm, digest)| (algorithm, Hex(digest))),
            )
            .finish()
    }
}
