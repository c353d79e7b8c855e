// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The history of a register: the events that led to its value, one after the other.

use super::{about, brief, escape, event_of, failed, linked, short, state, ROLES};
use crate::claim::{Claim, Outcome};
use crate::replay::{Event, Replay, Source};
use crate::Measured;
use std::fmt::Write as _;
use tdx_call::RtmrIndex;
use tdx_firmware::{HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// The part of the page about a register.
pub(super) fn section(
    replay: &Replay,
    rtmr: RtmrIndex,
    measured: Option<&Measured>,
    claims: &[Claim],
) -> String {
    let index = rtmr as usize;
    let register = format!("rtmr{index}");
    let (class, word) = state(replay, claims, &register);
    let mut text = format!(
        "<section id=\"rtmr{index}\" aria-labelledby=\"title{index}\">\n<h2 id=\"title{index}\">RTMR{index} <small>{}</small> \
         <span class=\"mark {class}\">{word}</span></h2>\n",
        ROLES[index].0
    );
    for claim in about(claims, &register).filter(|claim| claim.outcome == Outcome::Fails) {
        let _ = writeln!(
            text,
            "<p class=\"banner bad\"><b>{}:</b> {}</p>",
            escape(claim.name),
            linked(claim)
        );
    }
    text.push_str("<dl>\n");
    let led_to = &replay.registers[index];
    let found = measured.map(|measured| &measured.rtmr[index]);
    match found {
        Some(found) if found == led_to => {
            let _ = writeln!(
                text,
                "<dt>In the TD, and by the logs</dt><dd><code>{found}</code></dd>"
            );
        }
        Some(found) => {
            let _ = writeln!(
                text,
                "<dt>In the TD</dt><dd class=\"bad\"><code>{found}</code></dd>"
            );
        }
        None => {}
    }
    if found != Some(led_to) {
        let _ = writeln!(text, "<dt>By the logs</dt><dd><code>{led_to}</code></dd>");
    }
    text.push_str("</dl>\n");
    let name = format!("RTMR{index}");
    let events: Vec<_> = replay
        .events
        .iter()
        .filter(|event| event.register == name)
        .collect();
    if events.is_empty() {
        text.push_str("<p class=\"none\">No log tells of an extension.</p>\n</section>\n");
        return text;
    }
    text.push_str("<ol class=\"events\">\n");
    let mut value = Digest::ZERO;
    for one in events {
        // From where a log knows better, it is what counts.
        value = one.noted.unwrap_or(value);
        if let Some(digest) = one.digest.filter(|_| one.rtmr.is_some()) {
            value = Sha2.digest(&[&value.0, &digest.0]);
        }
        let named = failed(claims).any(|claim| event_of(claim) == Some(one.number));
        text.push_str(&event(one, &value, named));
    }
    if let Some(found) = found.filter(|found| **found != value) {
        let _ = writeln!(
            text,
            "<li class=\"bad end\">✗ In the TD it is <code>{found}</code> instead.</li>"
        );
    }
    text.push_str("</ol>\n</section>\n");
    text
}

/// An event, the register's value from then on, and whether a claim names the event that fails.
fn event(event: &Event, value: &Digest, named: bool) -> String {
    // A runtime log notes a value where it found another one than it knew.
    let is_gap = event.rtmr.is_none() && event.is_gap();
    let (class, remark) = match (event.rtmr, event.data_holds) {
        _ if is_gap => (
            "bad",
            "noted by the next program that extended the register",
        ),
        (None, _) => ("note", "not measured"),
        (_, Some(false)) => ("bad", "what it says is not what was measured"),
        (_, Some(true)) => ("", "what it says is what was measured"),
        (_, None) => ("", "it names what was measured"),
    };
    let class = if named { "bad" } else { class };
    let mark = match (named, is_gap, event.data_holds) {
        (true, _, _) => "<span class=\"mark bad\">✗ see above</span> ",
        (_, true, _) => "<span class=\"mark bad\">✗ gap</span> ",
        (_, _, Some(false)) => "<span class=\"mark bad\">✗ not true</span> ",
        _ => "",
    };
    let source = match event.source {
        Source::Boot => "boot",
        Source::Ima => "IMA",
        Source::Runtime => "runtime",
    };
    // What a log says of itself has digests that are told where they belong.
    let description = match event.rtmr {
        None => brief(&event.description),
        Some(_) => event.description.clone(),
    };
    let number = event.number;
    let open = if named { " open" } else { "" };
    let kind = event
        .event_type
        .strip_prefix("EV_")
        .unwrap_or(&event.event_type);
    let mut text = format!(
        "<li id=\"event-{number}\" class=\"{class}\" value=\"{number}\"><details{open}><summary>{mark}<span class=\"type\">{}</span> \
         <span class=\"what\">{}</span>",
        escape(kind),
        escape(&description)
    );
    if event.rtmr.is_some() || is_gap {
        let _ = write!(text, " <code class=\"then\">{}</code>", short(value));
    }
    let _ = write!(
        text,
        "</summary>\n<dl><dt>Log</dt><dd>{source}, offset {:#x}; {remark}</dd>",
        event.offset
    );
    if let Some(digest) = event.digest.as_ref().filter(|_| event.rtmr.is_some()) {
        let _ = write!(text, "<dt>Extended with</dt><dd><code>{digest}</code></dd>");
    }
    if event.rtmr.is_some() || event.noted.is_some() {
        let _ = write!(text, "<dt>Register then</dt><dd><code>{value}</code></dd>");
    }
    text.push_str("</dl></details></li>\n");
    text
}
