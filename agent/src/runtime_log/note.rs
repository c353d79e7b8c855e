// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Events of type EV_NO_ACTION by which a runtime log speaks of itself, and how events are written.

use super::NewEvent;
use crate::replay::data_holds;
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::algorithm::SHA384;
use tdx_firmware::event_log::{Event, EventLog, LogWriter};
use tdx_firmware::{EventType, HashEngine as _, MrIndex, Sha2};
use tdx_uapi::{Digest, DIGEST_LEN};

/// The length of the header of a log, which [`LogWriter`] writes.
const HEADER_LEN: usize = 65;

/// What the note behind the header begins with; the identifier of the boot follows.
const HEADER_NOTE: &[u8] = b"TdxRuntimeLog 1\0";
const INTENT: &[u8] = b"TdxIntent\0";
const ABANDONED: &[u8] = b"TdxAbandoned\0";
const GAP: &[u8] = b"TdxGap\0";

/// What a log says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note<'a> {
    /// The log is of this boot.
    Boot(&'a [u8]),
    /// The register is about to be extended.
    Intent {
        /// The register's value.
        before: Digest,
        /// What it is to be extended with.
        digest: Digest,
        /// The type of the event that will follow.
        event_type: EventType,
        /// Its data.
        data: &'a [u8],
    },
    /// What the intent before it says did not happen.
    Abandoned,
    /// The register was extended by something that is not in the log.
    Gap {
        /// The value that it was found with.
        found: Digest,
    },
}

impl<'a> Note<'a> {
    /// The length of the event of a [`Note::Gap`].
    pub(super) const MAX_GAP: usize = 4 + 4 + 4 + 2 + DIGEST_LEN + 4 + GAP.len() + DIGEST_LEN;

    /// What an event of a runtime log says of it, if it does. Whether that is true is another question.
    pub fn of(event: &Event<'a>) -> Option<Self> {
        if event.event_type != EventType::NO_ACTION {
            return None;
        }
        let data = event.data;
        let digest = |bytes: &[u8]| bytes.try_into().ok().map(Digest);
        if let Some(boot) = data.strip_prefix(HEADER_NOTE) {
            return Some(Self::Boot(boot));
        }
        if let Some(rest) = data.strip_prefix(INTENT) {
            let (before, rest) = rest.split_at_checked(DIGEST_LEN)?;
            let (to_extend, rest) = rest.split_at_checked(DIGEST_LEN)?;
            let (event_type, data) = rest.split_first_chunk()?;
            return Some(Self::Intent {
                before: digest(before)?,
                digest: digest(to_extend)?,
                event_type: EventType(u32::from_le_bytes(*event_type)),
                data,
            });
        }
        if let Some(rest) = data.strip_prefix(GAP) {
            return Some(Self::Gap {
                found: digest(rest)?,
            });
        }
        (data == ABANDONED).then_some(Self::Abandoned)
    }

    /// The event, as it is in a log.
    pub(super) fn to_event(self, rtmr: RtmrIndex) -> Vec<u8> {
        let data = match self {
            Self::Boot(boot) => [HEADER_NOTE, boot].concat(),
            Self::Intent {
                before,
                digest,
                event_type,
                data,
            } => {
                let event_type = event_type.0.to_le_bytes();
                [INTENT, &before.0, &digest.0, &event_type, data].concat()
            }
            Self::Abandoned => ABANDONED.to_vec(),
            Self::Gap { found } => [GAP, &found.0].concat(),
        };
        event(rtmr, EventType::NO_ACTION, &Sha2.digest(&[&data]), &data)
    }
}

/// An event, as it is in a log.
pub(super) fn event(
    rtmr: RtmrIndex,
    event_type: EventType,
    digest: &Digest,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(66 + data.len());
    bytes.extend(MrIndex::from(rtmr).0.to_le_bytes());
    bytes.extend(event_type.0.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(SHA384.to_le_bytes());
    bytes.extend(digest.0);
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

/// Whether readers of a log with this event would find that it is not extended, or that it says something else than its digest.
pub(super) fn contradicts_itself(new: &NewEvent<'_>) -> bool {
    let event = event(new.rtmr, new.event_type, &new.digest, new.data);
    let bytes = [beginning(""), event].concat();
    let read = EventLog::parse(&bytes)
        .ok()
        .and_then(|log| log.events().filter_map(Result::ok).last());
    read.is_none_or(|read| read.rtmr() != Some(new.rtmr) || data_holds(&read) == Some(false))
}

/// Whether whoever began this log, in whichever boot, did not get to the end of its beginning. Nothing was recorded then.
pub(super) fn is_unfinished(bytes: &[u8]) -> bool {
    /// What is before the first digest, which differs from boot to boot.
    const COMMON: usize = HEADER_LEN + 4 + 4 + 4 + 2;
    let common = bytes.len().min(COMMON);
    let whole = || {
        let log = EventLog::parse(bytes).ok()?;
        log.events().next()?.ok()
    };
    bytes[..common] == beginning("")[..common] && whole().is_none()
}

/// What a log begins with: the header, and the note of which boot it is.
pub(super) fn beginning(boot: &str) -> Vec<u8> {
    let mut header = vec![0; HEADER_LEN];
    LogWriter::new(&mut header).expect("a header has room in its own length");
    header.extend(Note::Boot(boot.as_bytes()).to_event(RtmrIndex::Rtmr3));
    header
}
