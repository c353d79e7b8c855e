// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why a register has not the value that its log leads to.

use super::{Event, Replay, Source};
use tdx_call::RtmrIndex;
use tdx_firmware::{HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// So many of the last events are left out in turn. What is tried begins with the value before it, so that a long log of a
/// hostile TD costs its verifier no more than this.
const MAX_TRIED: usize = 300;

/// Why the register has not the value that its log leads to. `None` if it has.
pub(super) fn mismatch(replay: &Replay, rtmr: RtmrIndex, found: &Digest) -> Option<String> {
    if replay.registers[rtmr as usize] == *found {
        return None;
    }
    let events: Vec<_> = replay.extensions(rtmr).collect();
    let why = ends_early(&events, found)
        .or_else(|| extra_event(&events, found))
        .or_else(|| wrong_order(&events, found))
        .or_else(|| unlogged(replay, rtmr, found))
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
    let all = first.source == Source::Runtime
        && reached
            .checked_sub(1)
            .is_none_or(|before| events[before].source != Source::Runtime);
    let hint = if all {
        ", unless the runtime log is that of another boot"
    } else {
        ""
    };
    Some(format!(
        "{}{others} in the log did not happen{hint}",
        name(first)
    ))
}

/// One of the events did not happen.
fn extra_event(events: &[&Event], found: &Digest) -> Option<String> {
    let first = events.len().saturating_sub(MAX_TRIED);
    (first..events.len())
        .find(|at| replayed(before(events, *at), &events[at + 1..]) == *found)
        .map(|at| format!("{} is in the log and did not happen", name(events[at])))
}

/// Two events that follow one another are exchanged.
fn wrong_order(events: &[&Event], found: &Digest) -> Option<String> {
    let first = events.len().saturating_sub(MAX_TRIED).max(1);
    (first..events.len())
        .find(|at| {
            let exchanged = replayed(before(events, at - 1), &[events[*at], events[at - 1]]);
            replayed(exchanged, &events[at + 1..]) == *found
        })
        .map(|at| {
            format!(
                "{} happened before {}",
                name(events[at]),
                name(events[at - 1])
            )
        })
}

/// The runtime log notes values of the register, by which it is known where something else extended it.
fn unlogged(replay: &Replay, rtmr: RtmrIndex, found: &Digest) -> Option<String> {
    let register = format!("RTMR{}", rtmr as u8);
    let mut value = Digest::ZERO;
    let mut last = None;
    let mut places = Vec::new();
    // The values that the register has had since the last place, and what then extended it.
    let mut since = Vec::new();
    for event in replay
        .events
        .iter()
        .filter(|event| event.register == register)
    {
        if let Some(noted) = event.noted.filter(|noted| *noted != value) {
            places.push(last);
            since.clear();
            value = noted;
        }
        if let Some(digest) = event.digest.filter(|_| event.rtmr.is_some()) {
            since.push((value, event));
            value = Sha2.digest(&[&value.0, &digest.0]);
            last = Some(event);
        }
    }
    let (first, more) = places.split_first()?;
    let place = first.map_or_else(
        || "before the first event of the log".to_owned(),
        |event| format!("after {}", name(event)),
    );
    let again = if more.is_empty() {
        ""
    } else {
        ", and again later"
    };
    // What came last is not in the log either way, and nothing says so but the register.
    let end = match since.iter().find(|(before, _)| before == found) {
        _ if value == *found => String::new(),
        Some((_, event)) => format!("; {} in the log did not happen", name(event)),
        None => ", and again after the last event".into(),
    };
    Some(format!(
        "{place} something extended {register} without logging it{again}{end}"
    ))
}

fn unknown(events: &[&Event], rtmr: RtmrIndex) -> String {
    match (events.last(), rtmr) {
        (None, _) => format!("RTMR{} was extended, and no log tells of it", rtmr as u8),
        (Some(last), RtmrIndex::Rtmr2 | RtmrIndex::Rtmr3) => format!(
            "something extended RTMR{} after {} without logging it, or an event of the log was changed",
            rtmr as u8,
            name(last)
        ),
        (Some(_), _) => "an event of the log was changed, added or removed; a policy with events tells which".into(),
    }
}

/// The value of the register before this event.
fn before(events: &[&Event], at: usize) -> Digest {
    at.checked_sub(1)
        .and_then(|last| events[last].value)
        .unwrap_or(Digest::ZERO)
}

/// The value that events lead to from another one.
fn replayed(from: Digest, events: &[&Event]) -> Digest {
    events
        .iter()
        .filter_map(|event| event.digest)
        .fold(from, |value, digest| Sha2.digest(&[&value.0, &digest.0]))
}

fn name(event: &Event) -> String {
    format!(
        "event {} ({} {})",
        event.number, event.event_type, event.description
    )
}
