// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Quotes and reports of real platforms.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::verify::{Collateral, Expectations, Outcome, TrustedRoot, Verdict, Verifier};
use tdx_agent::{cel, Measured, Policy, ReportData};
use tdx_firmware::event_log::EventLog;
use tdx_uapi::quote::Quote;

const V4: &str = "quote-v4.bin";
const V4_COLLATERAL: &str = "quote-v4.collateral.json";
const V5: &str = "quote-v5-outdated.bin";
const V5_COLLATERAL: &str = "quote-v5-outdated.collateral.json";

fn main() -> ExitCode {
    testdata::run(vec![
        testdata::test(
            quote_of_version_4_is_believed_at_its_date,
            [V4, V4_COLLATERAL],
        ),
        testdata::test(
            collateral_is_refused_before_and_after_its_time,
            [V4, V4_COLLATERAL],
        ),
        testdata::test(
            outdated_platform_is_refused_with_the_tcb_named,
            [V5, V5_COLLATERAL],
        ),
        testdata::test(
            collateral_of_another_kind_of_platform_is_refused,
            [V4, V5_COLLATERAL],
        ),
        testdata::test(another_root_is_refused, [V4, V4_COLLATERAL]),
        testdata::test(garbage_is_no_quote, ["tdreport-garbage.bin", V4_COLLATERAL]),
        testdata::test(
            every_changed_byte_is_refused_for_the_right_reason,
            [V4, V4_COLLATERAL],
        ),
        testdata::test(every_cut_is_refused, [V4, V4_COLLATERAL]),
        testdata::test(wrong_expectations_are_named, [V4, V4_COLLATERAL]),
        testdata::test(
            log_of_a_real_boot_replays_with_its_ima_list,
            ["ccel-grub.bin", "ccel-grub.quote.bin", "ccel-grub.ima.bin"],
        ),
        testdata::test(
            changed_logs_are_explained,
            ["ccel-grub.bin", "ccel-grub.quote.bin", "ccel-grub.ima.bin"],
        ),
        testdata::test(canonical_form_leads_back_to_the_log, ["ccel-grub.bin"]),
        testdata::test(policy_of_a_quote_accepts_it, [V4, V4_COLLATERAL]),
    ])
}

/// The 20th of June 2025, when the collateral of the first sample was valid.
fn date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_377_600)
}

/// The 20th of February 2026, when that of the second one was.
fn later_date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_771_545_600)
}

fn collateral(json: &[u8]) -> Collateral {
    Collateral::from_json(json).expect("collateral")
}

fn verify(quote: &[u8], json: &[u8], expected: &Expectations) -> Verdict {
    verify_at(quote, json, expected, date())
}

fn verify_at(quote: &[u8], json: &[u8], expected: &Expectations, now: SystemTime) -> Verdict {
    Verifier::new(TrustedRoot::intel()).verify(quote, &collateral(json), expected, now)
}

/// The name of the one claim that fails, and what is said of it.
#[track_caller]
fn failed(verdict: &Verdict) -> (&'static str, String) {
    let failed: Vec<_> = verdict.failed().collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(!verdict.holds());
    (failed[0].name, failed[0].detail.clone())
}

fn quote_of_version_4_is_believed_at_its_date([quote, json]: [Vec<u8>; 2]) {
    let verdict = verify(&quote, &json, &Expectations::default());
    assert!(verdict.holds(), "{:?}", verdict.claims);
    assert_eq!(verdict.tcb.expect("a TCB").status, "UpToDate");
    let unchecked: Vec<_> = verdict
        .claims
        .iter()
        .filter(|claim| claim.outcome == Outcome::Unchecked)
        .collect();
    assert_eq!(unchecked.len(), 1);
    assert_eq!(unchecked[0].name, "reportdata");
}

fn collateral_is_refused_before_and_after_its_time([quote, json]: [Vec<u8>; 2]) {
    let year = Duration::from_secs(365 * 86400);
    for (now, word) in [(date() - year, "future"), (date() + year, "xpired")] {
        let verdict = Verifier::new(TrustedRoot::intel()).verify(
            &quote,
            &collateral(&json),
            &Expectations::default(),
            now,
        );
        let (name, detail) = failed(&verdict);
        assert_eq!(name, "collateral", "{detail}");
        assert!(
            detail.contains(word) || detail.contains("NotValidYet"),
            "{detail}"
        );
    }
}

fn outdated_platform_is_refused_with_the_tcb_named([quote, json]: [Vec<u8>; 2]) {
    let verdict = verify_at(&quote, &json, &Expectations::default(), later_date());
    let (name, detail) = failed(&verdict);
    assert_eq!(name, "tcb", "{detail}");
    assert!(detail.contains("needed is"), "{detail}");
}

fn collateral_of_another_kind_of_platform_is_refused([quote, json]: [Vec<u8>; 2]) {
    let (name, detail) = failed(&verify_at(
        &quote,
        &json,
        &Expectations::default(),
        later_date(),
    ));
    assert_eq!(name, "collateral", "{detail}");
    assert!(detail.contains("Fmspc mismatch"), "{detail}");
}

fn another_root_is_refused([quote, json]: [Vec<u8>; 2]) {
    // The certificate of the platform itself, as if it were a root.
    let parsed = Quote::parse(&quote).expect("a Quote");
    let text = String::from_utf8_lossy(parsed.certification_data);
    let end = "-----END CERTIFICATE-----\n";
    let first = text.split_inclusive(end).next().expect("a certificate");
    let root = TrustedRoot::from_bytes(first.as_bytes()).expect("a certificate");
    let verdict =
        Verifier::new(root).verify(&quote, &collateral(&json), &Expectations::default(), date());
    let (name, detail) = failed(&verdict);
    assert_eq!(name, "certificates", "{detail}");
    // What was not looked at is not said to hold.
    assert_eq!(verdict.claims[1].name, "collateral");
    assert_eq!(verdict.claims[1].outcome, Outcome::Unchecked);
}

fn garbage_is_no_quote([bytes, json]: [Vec<u8>; 2]) {
    for bytes in [&bytes[..], b"", b"\x04"] {
        let (name, _) = failed(&verify(bytes, &json, &Expectations::default()));
        assert_eq!(name, "quote");
    }
}

/// Which claims may fail when the byte at `at` is changed.
fn reasons(quote: &Quote<'_>, bytes: &[u8], at: usize) -> &'static [&'static str] {
    let offset = |part: &[u8]| part.as_ptr().addr() - bytes.as_ptr().addr();
    let is_in = |part: &[u8]| (offset(part)..offset(part) + part.len()).contains(&at);
    if at < 48 {
        // The header: its numbers, then what only the signature covers.
        return if at < 28 {
            &["quote", "signature"]
        } else {
            &["signature"]
        };
    }
    if is_in(quote.signed) || is_in(quote.signature) {
        &["signature"]
    } else if is_in(quote.attestation_key)
        || is_in(zerocopy::IntoBytes::as_bytes(quote.qe_report))
        || is_in(quote.qe_report_signature)
        || is_in(quote.qe_authentication_data)
    {
        &["quoting-enclave"]
    } else if is_in(quote.certification_data) {
        &["certificates"]
    } else if is_in(quote.rest) {
        &["quote"]
    } else {
        // Types and lengths. A shorter last part is not the same data.
        &["quote", "certificates", "quoting-enclave"]
    }
}

fn every_changed_byte_is_refused_for_the_right_reason([quote, json]: [Vec<u8>; 2]) {
    let verifier = Verifier::new(TrustedRoot::intel());
    let (json, expected) = (collateral(&json), Expectations::default());
    let whole = Quote::parse(&quote).expect("a Quote");
    for at in 0..quote.len() {
        for change in [1, 0x20, 0x80] {
            let mut changed = quote.clone();
            changed[at] ^= change;
            let verdict = verifier.verify(&changed, &json, &expected, date());
            assert!(!verdict.holds(), "byte {at} ^ {change:#x}: it is believed");
            let (name, detail) = failed(&verdict);
            let right = reasons(&whole, &quote, at);
            assert!(
                right.contains(&name),
                "byte {at} ^ {change:#x}: {name}: {detail}"
            );
        }
    }
}

fn every_cut_is_refused([quote, json]: [Vec<u8>; 2]) {
    let json = collateral(&json);
    let whole = Quote::parse(&quote).expect("a Quote");
    let verifier = Verifier::new(TrustedRoot::intel());
    for length in 0..quote.len() - whole.rest.len() {
        let verdict = verifier.verify(&quote[..length], &json, &Expectations::default(), date());
        assert_eq!(failed(&verdict).0, "quote", "{length} bytes");
    }
}

fn wrong_expectations_are_named([quote, json]: [Vec<u8>; 2]) {
    let wrong = "ab".repeat(48);
    let mut policy = Policy::default();
    policy.td.rtmr1 = Some(vec![wrong.clone()]);
    policy.td.mrtd = Some(vec![wrong]);
    policy.tcb.accept = vec!["OutOfDate".into()];
    let expected = Expectations {
        policy,
        reportdata: Some(ReportData::bind(b"nonce", b"")),
        logs: None,
    };
    let verdict = verify(&quote, &json, &expected);
    let names: Vec<_> = verdict.failed().map(|claim| claim.name).collect();
    assert_eq!(names, ["tcb", "reportdata", "mrtd", "rtmr1"]);
}

fn policy_of_a_quote_accepts_it([quote, json]: [Vec<u8>; 2]) {
    let measured = Measured::from(&Quote::parse(&quote).expect("a Quote"));
    let mut policy = Policy::default();
    policy.td = tdx_agent::TdPolicy::of(&measured, &[]);
    let policy = Policy::from_toml(&policy.to_toml()).expect("what was written is read");
    let expected = Expectations {
        policy,
        reportdata: Some(measured.reportdata),
        logs: None,
    };
    let verdict = verify(&quote, &json, &expected);
    assert!(verdict.holds(), "{:?}", verdict.claims);
    assert!(verdict
        .claims
        .iter()
        .all(|claim| claim.outcome == Outcome::Holds));
}

fn log_of_a_real_boot_replays_with_its_ima_list([ccel, quote, ima]: [Vec<u8>; 3]) {
    let found = Measured::from(&Quote::parse(&quote).expect("a Quote")).rtmr;
    let mut logs = Logs {
        boot: Some(&ccel),
        ..Logs::default()
    };
    let replay = Replay::new(&logs).expect("a log");
    let differ: Vec<_> = failing(&replay, &found);
    assert_eq!(differ, ["replay-rtmr2"]);
    logs.ima = Some(&ima);
    let replay = Replay::new(&logs).expect("a log");
    assert_eq!(failing(&replay, &found), [""; 0]);
}

fn failing(replay: &Replay, found: &[tdx_uapi::Digest; 4]) -> Vec<&'static str> {
    let claims = replay.claims(found);
    claims
        .iter()
        .filter(|claim| claim.outcome == Outcome::Fails)
        .map(|claim| claim.name)
        .collect()
}

fn changed_logs_are_explained([ccel, quote, ima]: [Vec<u8>; 3]) {
    let measured = Measured::from(&Quote::parse(&quote).expect("a Quote"));
    let honest = Logs {
        boot: Some(&ccel),
        ima: Some(&ima),
        ..Logs::default()
    };
    let honest = Replay::new(&honest).expect("a log");
    let mut policy = Policy::default();
    policy.td.expect_events(&honest, &[]);
    let explain = |log: &[u8]| {
        let logs = Logs {
            boot: Some(log),
            ima: Some(&ima),
            ..Logs::default()
        };
        let replay = Replay::new(&logs).expect("a log");
        let mut claims = replay.claims(&measured.rtmr);
        claims.extend(policy.event_claims(Some(&replay), &measured));
        let failed = claims
            .into_iter()
            .filter(|claim| claim.outcome == Outcome::Fails);
        failed
            .map(|claim| format!("{}: {}", claim.name, claim.detail))
            .collect::<Vec<_>>()
    };
    assert_eq!(explain(&ccel), [""; 0]);

    // Another command line than the one that was measured.
    let line = b"kernel_cmdline: ";
    let at = ccel
        .windows(line.len())
        .position(|bytes| bytes == line)
        .expect("a command line");
    let mut changed = ccel.clone();
    changed[at + line.len() + 3] ^= 1;
    let why = explain(&changed);
    assert!(
        why[0].starts_with("event-log: ") && why[0].contains("command line"),
        "{why:?}"
    );

    // An event that did not happen, and one that is missing.
    let events = EventLog::parse(&ccel).expect("a log");
    let events: Vec<_> = events
        .events()
        .map(|event| event.expect("an event"))
        .collect();
    let (from, to) = (events[40].offset, events[41].offset);
    let twice = [&ccel[..to], &ccel[from..]].concat();
    let why = explain(&twice);
    assert!(
        why[0].contains("is in the log and did not happen"),
        "{why:?}"
    );
    assert!(
        why[1].starts_with("events-rtmr2: event 42 (") && why[1].ends_with(") was not expected"),
        "{why:?}"
    );
    let without = [&ccel[..from], &ccel[to..]].concat();
    let why = explain(&without);
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(
        why[1].starts_with("events-rtmr2: ") && why[1].ends_with(" is missing before event 41"),
        "{why:?}"
    );

    // The log of a boot that did not get so far.
    let early = explain(&ccel[..from]);
    assert!(
        early
            .iter()
            .any(|why| why.starts_with("events-rtmr1: the log ends before")),
        "{early:?}"
    );
}

fn canonical_form_leads_back_to_the_log([ccel]: [Vec<u8>; 1]) {
    let records = cel::records([&ccel[..]]).expect("a log");
    let json = serde_json::to_string(&records).expect("JSON");
    let records: Vec<cel::Record> = serde_json::from_str(&json).expect("records");
    let log = cel::to_log(&records).expect("a log");
    let replay = |log: &[u8]| {
        let logs = Logs {
            boot: Some(log),
            ..Logs::default()
        };
        Replay::new(&logs).expect("a log")
    };
    assert_eq!(replay(&log).registers, replay(&ccel).registers);
    assert_eq!(cel::records([&log[..]]).expect("a log"), records);
}
