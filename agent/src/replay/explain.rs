// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why a register has not the value that its log leads to.

use super::{Event, Replay, Source};
use tdx_call::RtmrIndex;
use tdx_firmware::{HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// The longest log of which every event is left out in turn.
const MAX_TRIED: usize = 2000;

/// Why the register has not the value that its log leads to. `None` if it has.
pub(super) fn mismatch(replay: &Replay, rtmr: RtmrIndex, found: &Digest) -> Option<String> {
    if replay.registers[rtmr as usize] == *found {
        return None;
    }
    let events: Vec<_> = replay.extensions(rtmr).collect();
    let why = ends_early(&events, found)
        .or_else(|| extra_event(&events, found))
        .or_else(|| wrong_order(&events, found))
        .or_else(|| gap(replay, rtmr))
        .unwrap_or_else(|| unknown(&events, rtmr));
    Some(why)
}

/// The register has the value that it had before some of the events.
fn ends_early(events: &[&Event], found: &Digest) -> Option<String> {
    let mut values =
        std::iter::once(Digest::ZERO).chain(events.iter().filter_map(|event| event.value));
    let reached = values.position(|value| value == *found)?;
    let (first, rest) = events[reached..].split_first()?;
    let others = match rest.len() {
        0 => String::new(),
        1 => " and one more".into(),
        more => format!(" and {more} more"),
    };
    Some(format!("{}{others} in the log did not happen", name(first)))
}

/// One of the events did not happen.
fn extra_event(events: &[&Event], found: &Digest) -> Option<String> {
    if events.len() > MAX_TRIED {
        return None;
    }
    (0..events.len())
        .find(|without| {
            let others = events.iter().enumerate().filter(|(at, _)| at != without);
            replayed(others.map(|(_, event)| *event)) == *found
        })
        .map(|at| format!("{} is in the log and did not happen", name(events[at])))
}

/// Two events that follow one another are exchanged.
fn wrong_order(events: &[&Event], found: &Digest) -> Option<String> {
    if events.len() > MAX_TRIED {
        return None;
    }
    (1..events.len())
        .find(|at| {
            let mut exchanged = events.to_vec();
            exchanged.swap(at - 1, *at);
            replayed(exchanged.into_iter()) == *found
        })
        .map(|at| {
            format!(
                "{} happened before {}",
                name(events[at]),
                name(events[at - 1])
            )
        })
}

/// The runtime log itself notes where something else extended the register.
fn gap(replay: &Replay, rtmr: RtmrIndex) -> Option<String> {
    let register = format!("RTMR{}", rtmr as u8);
    let note = replay.events.iter().find(|event| {
        event.source == Source::Runtime
            && event.register == register
            && event
                .description
                .starts_with("something that is not in this log")
    })?;
    let before = replay.events[..note.number - 1]
        .iter()
        .rev()
        .find(|event| event.rtmr == Some(rtmr as u8));
    Some(match before {
        Some(before) => format!("after {} something extended the register without logging it", name(before)),
        None => "before the first event of the runtime log something extended the register without logging it".into(),
    })
}

fn unknown(events: &[&Event], rtmr: RtmrIndex) -> String {
    match (events.last(), rtmr) {
        (None, _) => "it was extended, and no log tells of it".into(),
        (Some(last), RtmrIndex::Rtmr2 | RtmrIndex::Rtmr3) => format!(
            "an event of the log was changed, or something extended the register and no log tells of it; the last one in the log is {}",
            name(last)
        ),
        (Some(_), _) => "an event of the log was changed, added or removed; a policy with events tells which".into(),
    }
}

fn replayed<'a>(events: impl Iterator<Item = &'a Event>) -> Digest {
    events
        .filter_map(|event| event.digest)
        .fold(Digest::ZERO, |value, digest| {
            Sha2.digest(&[&value.0, &digest.0])
        })
}

fn name(event: &Event) -> String {
    format!(
        "event {} ({} {})",
        event.number, event.event_type, event.description
    )
}
