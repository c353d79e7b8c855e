// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A measured boot as a page for people to look at: one file, without scripts, and nothing is loaded from elsewhere.

use super::{Event, Replay, Source};
use crate::claim::{Claim, Outcome};
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
    ("Command line, initrd", "what that was told"),
    ("Applications", "what programs measured while the TD runs"),
];

/// The page: the chain from firmware to application, each register's history, and each mismatch.
///
/// `found` are the registers of a report or Quote, if there is one; `mrtd` is its MRTD.
pub fn html(replay: &Replay, found: Option<&[Digest; 4]>, mrtd: Option<&Digest>) -> String {
    let claims = found.map(|found| replay.claims(found));
    let claims = claims.as_deref().unwrap_or_default();
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Measured boot of a TD</title>\n<style>\n",
    );
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<header>\n<h1>Measured boot of a TD</h1>\n");
    page.push_str(&verdict(claims, found.is_some()));
    page.push_str("</header>\n<main>\n");
    page.push_str(&chain(replay, claims, found, mrtd));
    for rtmr in RtmrIndex::ALL {
        page.push_str(&register(replay, rtmr, claims, found));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The text with what HTML has a meaning for replaced. Everything that comes out of a log goes through here.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
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

fn verdict(claims: &[Claim], compared: bool) -> String {
    let failed: Vec<_> = claims
        .iter()
        .filter(|claim| claim.outcome == Outcome::Fails)
        .collect();
    let mut text = String::new();
    if !compared {
        text.push_str("<p class=\"banner neutral\">A log alone: it was not compared with the registers of a TD.</p>\n");
    } else if failed.is_empty() {
        text.push_str("<p class=\"banner good\">The logs lead to the registers: they tell everything that was measured.</p>\n");
    } else {
        text.push_str(
            "<div class=\"banner bad\"><p>The logs and the registers do not agree.</p>\n<ul>\n",
        );
        for claim in failed {
            let _ = writeln!(
                text,
                "<li><b>{}</b> {}</li>",
                claim.name,
                escape(&claim.detail)
            );
        }
        text.push_str("</ul></div>\n");
    }
    text
}

fn claim_of(claims: &[Claim], rtmr: RtmrIndex) -> Option<&Claim> {
    let name = format!("replay-rtmr{}", rtmr as u8);
    claims.iter().find(|claim| claim.name == name)
}

fn class(claim: Option<&Claim>) -> &'static str {
    match claim.map(|claim| claim.outcome) {
        Some(Outcome::Holds) => "good",
        Some(Outcome::Fails) => "bad",
        _ => "neutral",
    }
}

fn word(claim: Option<&Claim>) -> &'static str {
    match claim.map(|claim| claim.outcome) {
        Some(Outcome::Holds) => "agrees",
        Some(Outcome::Fails) => "differs",
        _ => "not compared",
    }
}

fn chain(
    replay: &Replay,
    claims: &[Claim],
    found: Option<&[Digest; 4]>,
    mrtd: Option<&Digest>,
) -> String {
    let mut text = String::from("<ol class=\"chain\">\n");
    let value = mrtd.map_or_else(|| "not known".to_owned(), short);
    let _ = writeln!(
        text,
        "<li class=\"neutral\"><span class=\"name\">MRTD</span><b>Firmware</b><span>what the TD starts with; no log tells of it</span>\
         <code>{value}</code></li>"
    );
    for rtmr in RtmrIndex::ALL {
        let index = rtmr as usize;
        let claim = claim_of(claims, rtmr);
        let (title, role) = ROLES[index];
        let value = found.map_or(&replay.registers[index], |found| &found[index]);
        let count = replay.extensions(rtmr).count();
        let _ = writeln!(
            text,
            "<li class=\"{}\"><a href=\"#rtmr{index}\"><span class=\"name\">RTMR{index}</span><b>{title}</b>\
             <span>{role}</span><span>{count} events, {}</span><code>{}</code></a></li>",
            class(claim),
            word(claim),
            short(value)
        );
    }
    text.push_str("</ol>\n");
    text
}

fn short(digest: &Digest) -> String {
    format!("{}…", &digest.to_string()[..16])
}

fn register(
    replay: &Replay,
    rtmr: RtmrIndex,
    claims: &[Claim],
    found: Option<&[Digest; 4]>,
) -> String {
    let index = rtmr as usize;
    let claim = claim_of(claims, rtmr);
    let mut text = format!(
        "<section id=\"rtmr{index}\">\n<h2>RTMR{index} <small>{}</small> <span class=\"mark {}\">{}</span></h2>\n",
        ROLES[index].0,
        class(claim),
        word(claim)
    );
    if let Some(claim) = claim.filter(|claim| claim.outcome == Outcome::Fails) {
        let _ = writeln!(
            text,
            "<p class=\"banner bad\">{}</p>",
            escape(&claim.detail)
        );
    }
    text.push_str("<dl>\n");
    if let Some(found) = found {
        let _ = writeln!(
            text,
            "<dt>in the TD</dt><dd><code>{}</code></dd>",
            found[index]
        );
    }
    let _ = writeln!(
        text,
        "<dt>by the logs</dt><dd><code>{}</code></dd>\n</dl>",
        replay.registers[index]
    );
    let name = format!("RTMR{index}");
    let events: Vec<_> = replay
        .events
        .iter()
        .filter(|event| event.register == name)
        .collect();
    if events.is_empty() {
        text.push_str("<p class=\"none\">Nothing was measured into it.</p>\n</section>\n");
        return text;
    }
    text.push_str("<ol class=\"events\">\n");
    for one in events {
        text.push_str(&event(one));
    }
    text.push_str("</ol>\n</section>\n");
    text
}

fn event(event: &Event) -> String {
    let (class, remark) = match (event.rtmr, event.data_holds) {
        (None, _) => ("note", "not measured"),
        (_, Some(false)) => ("bad", "what it says is not what was measured"),
        (_, Some(true)) => ("good", "what it says is what was measured"),
        (_, None) => ("neutral", "names what was measured"),
    };
    let source = match event.source {
        Source::Boot => "boot",
        Source::Runtime => "runtime",
    };
    let mut text = format!(
        "<li class=\"{class}\" value=\"{}\"><details><summary><span class=\"type\">{}</span> <span class=\"what\">{}</span></summary>\n<dl>",
        event.number,
        escape(&event.event_type),
        escape(&event.description)
    );
    let _ = write!(
        text,
        "<dt>log</dt><dd>{source}, offset {:#x}; {remark}</dd>",
        event.offset
    );
    if let Some(digest) = &event.digest {
        let _ = write!(text, "<dt>digest</dt><dd><code>{digest}</code></dd>");
    }
    if let Some(value) = &event.value {
        let _ = write!(text, "<dt>register then</dt><dd><code>{value}</code></dd>");
    }
    text.push_str("</dl></details></li>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_a_log_says_is_no_html() {
        assert_eq!(
            escape("<script>alert('x' & \"y\")</script>"),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"
        );
    }
}
