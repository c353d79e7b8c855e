// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What becomes of an intent whose writer did not get to the end.

use super::note::{self, Note};
use super::store::Store;
use super::{LogError, RtmrAccess};
use tdx_firmware::{HashEngine as _, Sha2};

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// There was none.
    Nothing,
    /// The register was not extended.
    Abandoned,
    /// The register was extended, and the event is in the log now.
    Completed,
    /// Something else extended the register, before or instead of it: a gap.
    Unknown,
}

/// Completes the log if it ends with an intent.
pub(super) fn recover(store: &mut Store, registers: &impl RtmrAccess) -> Result<Pending, LogError> {
    let pending = store
        .events()
        .last()
        .and_then(|event| match Note::of(&event) {
            Some(Note::Intent {
                before,
                digest,
                event_type,
                data,
            }) => Some((
                event.mr.rtmr()?,
                before,
                digest,
                event_type,
                data.to_owned(),
            )),
            _ => None,
        });
    let Some((rtmr, before, digest, event_type, data)) = pending else {
        return Ok(Pending::Nothing);
    };
    let value = registers.rtmr(rtmr)?;
    let append =
        |store: &mut Store, bytes: &[u8]| store.append(bytes).map_err(|source| store.io(source));
    if value == before {
        append(store, &Note::Abandoned.to_event(rtmr))?;
        return Ok(Pending::Abandoned);
    }
    if value == Sha2.digest(&[&before.0, &digest.0]) {
        append(store, &note::event(rtmr, event_type, &digest, &data))?;
        return Ok(Pending::Completed);
    }
    append(store, &Note::Abandoned.to_event(rtmr))?;
    store.note_gap(rtmr, &value)?;
    Ok(Pending::Unknown)
}
