// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::{escape, event_of, html};
use crate::replay::{Logs, Replay};
use crate::{Claim, Measured};
use tdx_firmware::event_log::LogWriter;
use tdx_firmware::{EventType, MrIndex};
use tdx_uapi::TdReport;
use zerocopy::FromZeros as _;

#[test]
fn what_a_log_says_is_no_html() {
    assert_eq!(
        escape("<script>alert('x' & \"y\")</script>"),
        "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"
    );
    assert_eq!(escape("a\u{202e}b\u{7}"), "a\\u{202e}b\\u{7}");
}

/// A log with an event of RTMR3 that says this.
fn log(text: &str) -> Vec<u8> {
    let mut log = vec![0; 65];
    LogWriter::new(&mut log).expect("a header");
    log.extend(MrIndex(4).0.to_le_bytes());
    log.extend(EventType::ACTION.0.to_le_bytes());
    log.extend(1_u32.to_le_bytes());
    log.extend([12, 0]);
    log.extend([7; 48]);
    log.extend((text.len() as u32).to_le_bytes());
    log.extend(text.as_bytes());
    log
}

#[test]
fn nothing_in_a_log_becomes_part_of_the_page() {
    let hostile = "</style></summary><script>alert(1)</script><img src=x onerror=alert(1)>\" onclick='alert(1)";
    let log = log(hostile);
    let logs = Logs {
        runtime: Some(&log),
        ..Logs::default()
    };
    let replay = Replay::new(&logs).expect("a log");
    let claims = [
        Claim::fails("replay-rtmr3", format!("event 1 (EV_ACTION {hostile})")),
        Claim::holds("events-rtmr3", hostile),
    ];
    let measured = Measured::from(&TdReport::new_zeroed());
    let page = html(&replay, Some(&measured), &claims);
    let tags = page.matches('<').count();
    assert!(page.contains("&lt;script&gt;"), "{page}");
    for tag in ["<script", "<img", "onclick='", "\" onclick"] {
        assert!(!page.contains(tag), "{tag} in {page}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    // The digest is of something else than the text.
    assert!(
        page.contains("✗ not true") && !page.contains("✓ agrees"),
        "{page}"
    );
    // As many tags as with a log that means no harm.
    let harmless = self::log("harmless");
    let logs = Logs {
        runtime: Some(&harmless),
        ..Logs::default()
    };
    let replay = Replay::new(&logs).expect("a log");
    let claims = [
        Claim::fails("replay-rtmr3", "event 1 (EV_ACTION harmless)"),
        Claim::holds("events-rtmr3", "harmless"),
    ];
    let harmless = html(&replay, Some(&measured), &claims);
    assert_eq!(harmless.matches('<').count(), tags);
}

#[test]
fn event_of_a_claim_is_the_one_that_it_names_and_not_one_that_a_log_does() {
    let event = |detail: &str| event_of(&Claim::fails("x", detail));
    assert_eq!(
        event("after event 26 (EV_ACTION \"event 3\") something"),
        Some(26)
    );
    assert_eq!(event("RTMR3 was extended (event 3)"), None);
    assert_eq!(event("event 18446744073709551616 is"), None);
}
