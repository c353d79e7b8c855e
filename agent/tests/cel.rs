// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Canonical event logs as JSON, in and out, by the command `tdx`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{json, Value};
use sha2::{Digest as _, Sha384};
use tdx_agent::cel::{self, CelError};
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::Evidence;
use tempfile::TempDir;

/// Runs `tdx` in a folder. Returns the exit status, and what it says.
fn tdx(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tdx"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("to run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().expect("a status"), said)
}

fn record(number: u64, register: u32, event_type: u32, data: &[u8]) -> Value {
    json!({
        "recnum": number,
        "ccmr": register,
        "digests": [{ "hashAlg": "sha384", "digest": hex::encode(Sha384::digest(data)) }],
        "content_type": "pcclient_std",
        "content": { "event_type": event_type, "event_data": hex::encode(data) },
    })
}

/// Records of a boot, and of a runtime log that says what it is.
fn records() -> Value {
    json!([
        record(0, 1, 5, b"configuration"),
        record(1, 3, 5, b"command line"),
        record(2, 4, 3, b"TdxRuntimeLog 1\0boot"),
        record(3, 4, 5, b"app"),
    ])
}

fn folder(records: &Value) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("log.json"), records.to_string()).expect("a file");
    folder
}

#[test]
fn log_is_the_same_after_export_and_import() {
    let folder = folder(&records());
    let export = |log: &str| {
        let (status, text) = tdx(folder.path(), &["eventlog", log, "--format", "cel-json"]);
        assert_eq!(status, 0, "{text}");
        text
    };
    let text = export("log.json");
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("JSON"),
        records()
    );

    // The same by way of a CC event log, and with white space in front.
    let read = cel::parse(text.as_bytes()).expect("records");
    let log = cel::to_log(&read).expect("a log");
    fs::write(folder.path().join("log.bin"), log).expect("a file");
    assert_eq!(export("log.bin"), text);
    fs::write(folder.path().join("space.json"), format!("\n {text}")).expect("a file");
    assert_eq!(export("space.json"), text);
}

#[test]
fn log_of_programs_is_told_from_that_of_the_boot() {
    let folder = folder(&records());
    let (status, said) = tdx(folder.path(), &["eventlog", "log.json"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("runtime log of boot boot"), "{said}");
    let read = cel::parse(records().to_string().as_bytes()).expect("records");
    let logs = cel::to_logs(&read).expect("logs");
    let (boot, runtime) = (logs.boot.expect("one"), logs.runtime.expect("one"));
    let count = |log: &[u8]| cel::records([log]).expect("records").len();
    assert_eq!((count(&boot), count(&runtime)), (2, 2));

    // With only the one or the other.
    fs::write(folder.path().join("boot.bin"), &boot).expect("a file");
    let programs = cel::records([runtime.as_slice()]).expect("records");
    let programs = serde_json::to_string(&programs).expect("JSON");
    fs::write(folder.path().join("programs.json"), programs).expect("a file");
    let both = [
        "eventlog",
        "--ccel",
        "boot.bin",
        "--runtime-log",
        "programs.json",
    ];
    assert_eq!(tdx(folder.path(), &both).1, said);
}

#[test]
fn replay_takes_logs_by_their_content() {
    let folder = folder(&records());
    let read = cel::parse(records().to_string().as_bytes()).expect("records");
    let logs = cel::to_logs(&read).expect("logs");
    let replay = Replay::new(&Logs {
        boot: logs.boot.as_deref(),
        runtime: logs.runtime.as_deref(),
        ..Logs::default()
    })
    .expect("logs");
    let mut report = vec![0_u8; 1024];
    report[0] = 0x81;
    for (index, register) in replay.registers.iter().enumerate() {
        report[720 + 48 * index..][..48].copy_from_slice(&register.0);
    }
    fs::write(folder.path().join("report"), report).expect("a file");
    let (status, said) = tdx(
        folder.path(),
        &["replay", "log.json", "--against", "report"],
    );
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("1 event leads to"), "{said}");

    // Evidence is a log, too.
    let mut evidence = Evidence::new(Vec::new());
    evidence.cc_eventlog = logs.boot;
    evidence.runtime_log = logs.runtime;
    fs::write(folder.path().join("evidence"), evidence.to_json()).expect("a file");
    let same = tdx(
        folder.path(),
        &["replay", "evidence", "--against", "report"],
    );
    assert_eq!(same, (status, said));
}

/// What is said about this list.
#[track_caller]
fn refusal(records: Value) -> String {
    let folder = folder(&records);
    let (status, said) = tdx(folder.path(), &["eventlog", "log.json"]);
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("log.json"), "{said}");
    said
}

#[test]
fn what_is_no_record_is_named() {
    let change = |change: &dyn Fn(&mut Value)| {
        let mut all = records();
        change(&mut all[1]);
        refusal(all)
    };
    let missing = change(&|one| one["recnum"] = json!(7));
    assert!(missing.contains("record 7 does not follow"), "{missing}");
    let other = change(&|one| one["content_type"] = json!("ima_template"));
    assert!(
        other.contains("record 1 has another content type"),
        "{other}"
    );
    let sha256 = change(&|one| one["digests"][0]["hashAlg"] = json!("sha256"));
    assert!(
        sha256.contains("record 1 has no SHA-384 digest"),
        "{sha256}"
    );
    let short = change(&|one| one["digests"][0]["digest"] = json!("00"));
    assert!(short.contains("not 48 bytes long"), "{short}");
    let twice = change(&|one| {
        let digest = one["digests"][0].clone();
        one["digests"] = json!([digest, digest]);
    });
    assert!(twice.contains("more than one SHA-384 digest"), "{twice}");
    let digits = change(&|one| one["content"]["event_data"] = json!("xy"));
    assert!(digits.contains("no list of records"), "{digits}");
}

#[test]
fn hostile_text_is_refused() {
    let deep = "[".repeat(1 << 20);
    assert!(matches!(
        cel::parse(deep.as_bytes()),
        Err(CelError::Json(_))
    ));
    let long = vec![b' '; (32 << 20) + 1];
    assert!(matches!(cel::parse(&long), Err(CelError::TooLong(_))));
    let mut last = records();
    last[0]["recnum"] = json!(u64::MAX);
    assert!(cel::parse(last.to_string().as_bytes()).is_err());
    // Every beginning of a list is refused.
    let text = records().to_string();
    for end in 0..text.len() {
        assert!(cel::parse(&text.as_bytes()[..end]).is_err(), "{end}");
    }
}
