// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What others wrote: no bytes make a reader panic, and none get past a description to the terminal.

use proptest::collection::vec;
use proptest::prelude::*;
use tdx_agent::replay::{html, Logs, Replay};
use tdx_agent::{cel, visible, Evidence, Outcome, Policy};
use tdx_firmware::event_log::LogWriter;
use tdx_firmware::EventType;
use tdx_uapi::Digest;

/// What a TD might want its verifier to read.
const VERDICT: &str = "\u{1b}[2K\r\nThe Quote is to be believed.\u{202e}\n";

/// A record of RTMR3 as a log has it.
fn record(event_type: EventType, data: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    record.extend(4_u32.to_le_bytes());
    record.extend(event_type.0.to_le_bytes());
    record.extend(1_u32.to_le_bytes());
    record.extend([12, 0]);
    record.extend([7; 48]);
    record.extend((data.len() as u32).to_le_bytes());
    record.extend(data);
    record
}

fn log(records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut log = vec![0; 65];
    LogWriter::new(&mut log).expect("a header has room");
    log.extend(records.into_iter().flatten());
    log
}

/// A line of the kernel's list, of a file with this name.
fn ima(name: &[u8]) -> Vec<u8> {
    let line = format!("2 {} ima-ng sha384:{} ", Digest([7; 48]), Digest([8; 48]));
    [line.as_bytes(), name, b"\n"].concat()
}

/// Reads logs, and checks what is said of them.
fn read(boot: Option<&[u8]>, runtime: Option<&[u8]>, ima: Option<&[u8]>) {
    let Ok(replay) = Replay::new(&Logs { boot, runtime, ima }) else {
        return;
    };
    let claims = replay.claims(&[Digest::ZERO; 4]);
    let texts = claims.iter().map(|claim| &claim.detail);
    for text in texts.chain(replay.events.iter().map(|event| &event.description)) {
        assert_eq!(*text, visible(text));
    }
    let page = html(&replay, None, &claims);
    let controls = |one: &char| one.is_control() && *one != '\n';
    assert_eq!(page.chars().find(controls), None);
}

#[test]
fn notes_and_file_names_write_no_verdict() {
    let verdict = VERDICT.as_bytes();
    let notes = [
        [b"TdxRuntimeLog 1\0", verdict].concat(),
        [b"TdxIntent\0", &[9; 100][..], verdict].concat(),
        verdict.to_vec(),
    ];
    let mut records = notes
        .map(|note| record(EventType::NO_ACTION, &note))
        .to_vec();
    records.push(record(EventType::ACTION, verdict));
    let log = log(records);
    let ima = ima(verdict.trim_ascii());
    let logs = Logs {
        runtime: Some(&log),
        ima: Some(&ima),
        ..Logs::default()
    };
    let replay = Replay::new(&logs).expect("a log");
    assert_eq!(replay.events.len(), 5);
    read(None, Some(&log), Some(&ima));
    // It is not left out: a reader sees that it was tried.
    let hostile = &replay.events[1].description;
    assert!(
        hostile.contains("\\u{1b}[2K\\u{d}\\u{a}The Quote"),
        "{hostile}"
    );
}

#[test]
fn events_without_end_are_not_read() {
    // Events without a digest, of 16 bytes each.
    let empty: Vec<u8> = [4_u32, 3, 0, 0]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let log = log([empty.repeat(Replay::MAX_EVENTS + 1)]);
    let line = ima(b"file");
    let list = line.repeat(Replay::MAX_EVENTS + 1);
    let boot = Logs {
        boot: Some(&log),
        ..Logs::default()
    };
    let ima = Logs {
        ima: Some(&list),
        ..Logs::default()
    };
    for (logs, name) in [(boot, "boot"), (ima, "kernel's")] {
        let replay = Replay::new(&logs).expect("a log");
        let claims = replay.claims(&replay.registers);
        assert_eq!(replay.events.len(), Replay::MAX_EVENTS);
        assert_eq!(claims[0].outcome, Outcome::Fails);
        let why = format!("the {name} log: the logs have more than 100000 events");
        assert!(claims[0].detail.starts_with(&why), "{}", claims[0]);
    }
}

#[test]
fn explanations_are_looked_for_among_the_last_events() {
    let digest = |number: u32| number.to_le_bytes().repeat(12);
    let records: Vec<_> = (1..=2000)
        .map(|number| {
            let mut record = record(EventType::IPL, b"");
            record[14..62].copy_from_slice(&digest(number));
            record
        })
        .collect();
    let whole = log(records.clone());
    let logs = Logs {
        runtime: Some(&whole),
        ..Logs::default()
    };
    let claimed = Replay::new(&logs).expect("a log");
    let last = "event 1991 (EV_IPL no data) is in the log and did not happen";
    let exchanged = "event 1991 (EV_IPL no data) happened before event 1990 (EV_IPL no data)";
    // Long before the end, nothing is tried.
    let early = "something extended RTMR3 after event 2000 (EV_IPL no data) without logging it, or";
    for (at, exchange, why) in [
        (1990, false, last),
        (1990, true, exchanged),
        (10, false, early),
        (10, true, early),
    ] {
        let mut happened = records.clone();
        match exchange {
            true => happened.swap(at, at - 1),
            false => drop(happened.remove(at)),
        }
        let happened = log(happened);
        let happened = Logs {
            runtime: Some(&happened),
            ..Logs::default()
        };
        let found = Replay::new(&happened).expect("a log").registers;
        let claims = claimed.claims(&found);
        assert!(claims[4].detail.starts_with(why), "{}", claims[4]);
    }
}

proptest! {
    #[test]
    fn any_notes_and_file_names_are_visible(
        notes in vec((any::<bool>(), vec(any::<u8>(), 0..200)), 0..6),
        names in vec(any::<String>(), 0..6),
    ) {
        let records = notes.iter().map(|(is_note, data)| {
            let kind: &[u8] = if *is_note { b"TdxRuntimeLog 1\0" } else { b"TdxIntent\0" };
            record(EventType::NO_ACTION, &[kind, data].concat())
        });
        let list: Vec<_> = names.iter().flat_map(|name| ima(name.as_bytes())).collect();
        read(None, Some(&log(records)), Some(&list));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..2000)) {
        read(Some(&bytes), None, Some(&bytes));
        read(None, Some(&bytes), None);
        let behind_header = log([bytes.clone()]);
        read(Some(&behind_header), Some(&behind_header), None);
        let _ = cel::parse(&bytes);
        let _ = Evidence::from_json(&bytes);
        let _ = Policy::from_toml(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn records_of_any_contents_become_logs_or_are_refused(
        records in vec((any::<u32>(), any::<u32>(), "[0-9a-f]{96}|[0-9a-f]{0,98}", "([0-9a-f]{2}){0,40}|[0-9a-f]{0,60}"), 0..5),
    ) {
        let records: Vec<_> = records.into_iter().enumerate().map(|(number, (ccmr, kind, digest, data))| {
            serde_json::json!({
                "recnum": number,
                "ccmr": ccmr,
                "digests": [{ "hashAlg": "sha384", "digest": digest }],
                "content_type": "pcclient_std",
                "content": { "event_type": kind, "event_data": data },
            })
        }).collect();
        let text = serde_json::Value::from(records).to_string();
        if let Ok(logs) = cel::parse(text.as_bytes()).and_then(|records| cel::to_logs(&records)) {
            read(logs.boot.as_deref(), logs.runtime.as_deref(), None);
        }
    }
}
