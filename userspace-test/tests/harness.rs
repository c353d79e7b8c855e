// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The harness tells apart how tests end. It needs no TD for that.

use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Runs the program's tests of itself, and returns what it prints and the lines of its JSON file.
fn run(arguments: &[&str]) -> (Output, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("results");
    let output = Command::new(env!("CARGO_BIN_EXE_tdx-userspace-test"))
        .args(["self-test", "--timeout", "1", "--json"])
        .arg(&file)
        .args(arguments)
        .output()
        .expect("the program can be run");
    let lines = fs::read_to_string(&file).expect("the program writes its results");
    let parse = |line: &str| serde_json::from_str(line).expect("each line is JSON");
    (output, lines.lines().map(parse).collect())
}

/// How each test ended: its name, the outcome, and something that the message must contain.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("passes", "passed", ""),
    ("passes_in_twice_the_time", "passed", ""),
    ("returns_an_error", "failed", "this is the error"),
    ("panics", "failed", "this is the panic"),
    ("panics_in_a_thread", "failed", "this is the thread's panic"),
    ("is_skipped", "skipped", "this is the reason"),
    ("crashes", "failed", "killed by SIGABRT"),
    ("exits", "failed", "exit status 3"),
    ("hangs_with_a_child", "failed", "No end within 1s"),
];

#[test]
fn every_end_is_told_apart() {
    let begin = Instant::now();
    let (output, lines) = run(&[]);
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "the hanging test held everything up"
    );
    assert!(
        !output.status.success(),
        "failed tests, and yet the exit status is 0"
    );

    let (summary, tests) = lines.split_last().expect("there are results");
    assert_eq!(tests.len(), EXPECTED.len());
    for (line, (name, outcome, message)) in tests.iter().zip(EXPECTED) {
        let name = format!("harness::self_test::{name}");
        assert!(
            line["test"].as_str().expect("a name").ends_with(&name),
            "{line} is not {name}"
        );
        assert_eq!(line["outcome"], *outcome, "{line}");
        assert!(
            line["message"]
                .as_str()
                .unwrap_or_default()
                .contains(message),
            "{line}"
        );
        assert!(line["seconds"].is_f64(), "{line}");
    }
    assert_eq!(
        *summary,
        serde_json::json!({"passed": 2, "failed": 6, "skipped": 1})
    );

    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("2 passed, 6 failed, 1 skipped"), "{text}");
    assert!(
        text.contains("this is the panic") && !text.contains("nobody wants"),
        "{text}"
    );
}

#[test]
fn known_failures_of_the_c_driver_pass_as_long_as_they_are_what_is_known() {
    let (output, lines) = run(&["--driver", "c"]);
    assert!(!output.status.success());
    let outcome = |name: &str| {
        let line = lines
            .iter()
            .find(|line| {
                line["test"]
                    .as_str()
                    .is_some_and(|test| test.ends_with(name))
            })
            .unwrap_or_else(|| panic!("no {name}"));
        (
            line["outcome"].as_str().unwrap_or_default(),
            line["message"].as_str().unwrap_or_default(),
        )
    };
    assert_eq!(outcome("is_known_to_fail").0, "passed");
    let (other, message) = outcome("fails_in_another_way");
    assert_eq!(other, "failed");
    assert!(message.contains("this is new"), "{message}");
    let (mended, message) = outcome("no_longer_fails");
    assert_eq!(mended, "failed");
    assert!(message.contains("and does not"), "{message}");
}

#[test]
fn filters_choose_and_success_is_exit_status_0() {
    let (output, lines) = run(&["self_test::passes", "--skip", "twice"]);
    assert!(output.status.success());
    assert_eq!(lines.len(), 2, "one test and the summary");
    assert_eq!(
        lines[1],
        serde_json::json!({"passed": 1, "failed": 0, "skipped": 0})
    );
}

#[test]
fn listing_runs_nothing() {
    let (output, lines) = run(&["--list"]);
    assert!(output.status.success());
    assert!(lines.is_empty());
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(
        text.lines().filter(|line| line.ends_with(": test")).count(),
        EXPECTED.len()
    );
}
