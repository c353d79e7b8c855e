// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A measured boot as a page for people to look at: one file, without scripts, and nothing is loaded from elsewhere.

mod history;

use super::{counted, Replay};
use crate::claim::{Claim, Outcome};
use crate::{visible, Measured};
use std::fmt::Write as _;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

const STYLE: &str = include_str!("page.css");

/// What each of the runtime registers is for.
const ROLES: [(&str, &str); 4] = [
    (
        "Configuration",
        "TD HOB, ACPI tables, Secure Boot variables",
    ),
    ("Loader and kernel", "what the firmware started"),
    ("Command line, initrd", "what loader and kernel were told"),
    ("Applications", "what programs measured while the TD runs"),
];

/// The page: the chain from firmware to application, each register's history, and each mismatch.
///
/// `measured` are the values of a report or Quote, if there is one, and `claims` what came of comparing them:
/// [`Replay::claims`], and those of a [`Policy`](crate::Policy).
pub fn html(replay: &Replay, measured: Option<&Measured>, claims: &[Claim]) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Measured boot of a TD</title>\n<style>\n",
    );
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<header>\n<h1>Measured boot of a TD</h1>\n");
    page.push_str(&banner(measured.is_some(), claims));
    page.push_str("</header>\n<main>\n");
    page.push_str(&chain(replay, measured, claims));
    for rtmr in RtmrIndex::ALL {
        page.push_str(&history::section(replay, rtmr, measured, claims));
    }
    page.push_str(&list(claims));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The text with what HTML has a meaning for replaced. Everything that comes out of a log goes through here, and is
/// [`visible`](crate::visible) then.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in visible(text).chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            one => escaped.push(one),
        }
    }
    escaped
}

fn failed(claims: &[Claim]) -> impl Iterator<Item = &Claim> {
    claims
        .iter()
        .filter(|claim| claim.outcome == Outcome::Fails)
}

fn banner(compared: bool, claims: &[Claim]) -> String {
    if !compared {
        return "<p class=\"banner neutral\">A log alone: it was not compared with the registers of a TD, so it may say anything.</p>\n"
            .into();
    }
    let mut text = String::new();
    if failed(claims).next().is_none() {
        let expected = claims
            .iter()
            .any(|claim| claim.outcome == Outcome::Holds && claim.name.starts_with("events-"));
        let expected = if expected {
            ". What the policy expects holds, too"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "<p class=\"banner good\">✓ The logs lead to the registers: they tell everything that was measured{expected}.</p>"
        );
    } else {
        text.push_str(
            "<div class=\"banner bad\"><p>✗ Not everything is as it should be.</p>\n<ul>\n",
        );
        for claim in failed(claims) {
            let _ = writeln!(
                text,
                "<li><b>{}:</b> {}</li>",
                escape(claim.name),
                linked(claim)
            );
        }
        text.push_str("</ul></div>\n");
    }
    text.push_str(
        "<p class=\"remark\">This page compares logs with registers. Whether the registers are those of a genuine TD, \
         <code>tdx verify</code> says.</p>\n",
    );
    text
}

/// The event that a claim is about, by its number.
fn event_of(claim: &Claim) -> Option<usize> {
    // What comes out of a log is behind the first parenthesis or quotation mark.
    let ours = claim.detail.split(['(', '"']).next()?;
    let digits = ours.split("event ").nth(1)?;
    let digits = digits.split(|one: char| !one.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The text with long digits cut. They are in the histories.
fn brief(text: &str) -> String {
    let mut brief = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|one: char| one.is_ascii_hexdigit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|one: char| !one.is_ascii_hexdigit());
        let (digits, after) = digits.split_at(end.unwrap_or(digits.len()));
        brief.push_str(before);
        if digits.len() > 64 {
            brief.push_str(&digits[..16]);
            brief.push('…');
        } else {
            brief.push_str(digits);
        }
        rest = after;
    }
    brief + rest
}

/// What a claim says, with a link to the event that it names.
fn linked(claim: &Claim) -> String {
    let detail = escape(&brief(&claim.detail));
    let Some(number) = event_of(claim) else {
        return detail;
    };
    let link = format!("<a href=\"#event-{number}\">event {number}</a>");
    detail.replacen(&format!("event {number}"), &link, 1)
}

/// The claims that are about a register: `rtmr0`, `replay-rtmr0`, `events-rtmr0`.
fn about<'a>(claims: &'a [Claim], register: &'a str) -> impl Iterator<Item = &'a Claim> {
    claims
        .iter()
        .filter(move |claim| claim.name.rsplit('-').next() == Some(register))
}

/// How a register is, as a class and as words.
fn state(replay: &Replay, claims: &[Claim], register: &str) -> (&'static str, &'static str) {
    let mut events = replay.events.iter();
    let lies = events.any(|event| {
        event.data_holds == Some(false) && event.register.eq_ignore_ascii_case(register)
    });
    if lies {
        return ("bad", "✗ not true");
    }
    let mut outcomes = about(claims, register).map(|claim| claim.outcome);
    let Some(first) = outcomes.next() else {
        return ("neutral", "not compared");
    };
    outcomes.fold(word(first), |worst, outcome| {
        if outcome == Outcome::Fails {
            word(outcome)
        } else {
            worst
        }
    })
}

const fn word(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Holds => ("good", "✓ agrees"),
        Outcome::Fails => ("bad", "✗ differs"),
        Outcome::Unchecked => ("neutral", "not compared"),
    }
}

fn chain(replay: &Replay, measured: Option<&Measured>, claims: &[Claim]) -> String {
    let mut text =
        String::from("<nav aria-label=\"From firmware to application\">\n<ol class=\"chain\">\n");
    let value = measured.map_or_else(|| "not known".to_owned(), |measured| short(&measured.mrtd));
    let (class, word) = state(replay, claims, "mrtd");
    let _ = writeln!(
        text,
        "<li class=\"{class}\"><div><span class=\"name\">MRTD</span><b>Firmware</b><span>what the TD starts with; no log tells of it</span>\
         <span class=\"state\">{word}</span><code>{value}</code></div></li>"
    );
    for rtmr in RtmrIndex::ALL {
        let index = rtmr as usize;
        let (class, word) = state(replay, claims, &format!("rtmr{index}"));
        let (title, role) = ROLES[index];
        let value = measured.map_or(&replay.registers[index], |measured| &measured.rtmr[index]);
        let count = counted(replay.extensions(rtmr).count());
        let _ = writeln!(
            text,
            "<li class=\"{class}\"><a href=\"#rtmr{index}\"><span class=\"name\">RTMR{index}</span><b>{title}</b>\
             <span>{role}</span><span>{count}</span><span class=\"state\">{word}</span><code>{}</code></a></li>",
            short(value)
        );
    }
    text.push_str("</ol>\n</nav>\n");
    text
}

fn short(digest: &Digest) -> String {
    format!("{}…", &digest.to_string()[..16])
}

/// Everything that was compared.
fn list(claims: &[Claim]) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let mut text =
        String::from("<section>\n<h2>Everything that was compared</h2>\n<dl class=\"claims\">\n");
    for claim in claims {
        let (class, _) = word(claim.outcome);
        let word = match claim.outcome {
            Outcome::Holds => "✓ holds",
            Outcome::Fails => "✗ fails",
            Outcome::Unchecked => "not checked",
        };
        let _ = writeln!(
            text,
            "<dt><span class=\"mark {class}\">{word}</span> {}</dt><dd>{}</dd>",
            escape(claim.name),
            linked(claim)
        );
    }
    text.push_str("</dl>\n</section>\n");
    text
}

#[cfg(test)]
mod tests;
