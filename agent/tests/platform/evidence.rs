// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Evidence: a Quote with logs.

use super::{assert_believed, assert_refused, Fixture};
use sha2::{Digest as _, Sha384};
use std::fs;
use tdx_agent::cel::{self, Record};
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::Evidence;

/// A record of a log that measures text.
fn record(register: u32, text: &str) -> Record {
    let json = serde_json::json!({
        "recnum": 0,
        "ccmr": register,
        "digests": [{ "hashAlg": "sha384", "digest": hex::encode(Sha384::digest(text)) }],
        "content_type": "pcclient_std",
        "content": { "event_type": 5, "event_data": hex::encode(text) },
    });
    serde_json::from_value(json).expect("a record")
}

/// Logs of a boot and of its programs.
fn logs(command_line: &str, programs: &[&str]) -> [Vec<u8>; 2] {
    let boot = [
        record(1, "configuration"),
        record(2, "kernel"),
        record(3, command_line),
    ];
    let programs: Vec<_> = programs.iter().map(|text| record(4, text)).collect();
    [&boot[..], &programs].map(|records| cel::to_log(records).expect("a log"))
}

/// Evidence with these logs, of a TD in which those others happened.
fn evidence(fixture: &Fixture, claimed: &[Vec<u8>; 2], happened: &[Vec<u8>; 2]) {
    let [boot, runtime] = happened;
    let logs = Logs {
        boot: Some(boot),
        runtime: Some(runtime),
        ..Logs::default()
    };
    let registers = Replay::new(&logs).expect("logs").registers;
    let mut evidence = Evidence::new(fixture.quote(|report| report.td_info.rtmr = registers));
    let [boot, runtime] = claimed.clone();
    evidence.cc_eventlog = Some(boot);
    evidence.runtime_log = Some(runtime);
    fixture.write("evidence", evidence.to_json().as_bytes());
}

#[test]
fn evidence_is_believed_if_its_logs_lead_to_the_registers() {
    let fixture = Fixture::new();
    let honest = logs("root=/dev/vda1", &["app 1", "app 2"]);
    evidence(&fixture, &honest, &honest);
    let (status, policy) = fixture.tdx("policy new --from evidence");
    assert_eq!(status, 0, "{policy}");
    fixture.write("policy", policy.as_bytes());
    assert_believed(fixture.verify("evidence --policy policy"));

    // Another command line, of which the log tells.
    let other = logs("root=/dev/evil", &["app 1", "app 2"]);
    evidence(&fixture, &other, &other);
    assert_believed(fixture.verify("evidence"));
    let verdict = fixture.verify("evidence --policy policy");
    assert!(
        verdict
            .1
            .contains("\"root=/dev/evil\", expected EV_ACTION \"root=/dev/vda1\""),
        "{}",
        verdict.1
    );
    assert_refused(verdict, "rtmr2, events-rtmr2");

    // The same, and the log tells of the old one.
    evidence(&fixture, &honest, &other);
    assert_refused(fixture.verify("evidence"), "replay-rtmr2");

    // An extension that was not logged, and one that was and did not happen.
    evidence(&fixture, &logs("root=/dev/vda1", &["app 1"]), &honest);
    assert_refused(fixture.verify("evidence"), "replay-rtmr3");
    assert_believed(fixture.verify("evidence --unlogged 3"));
    evidence(&fixture, &honest, &logs("root=/dev/vda1", &["app 1"]));
    let verdict = fixture.verify("evidence");
    assert!(
        verdict.1.contains("\"app 2\") in the log did not happen"),
        "{}",
        verdict.1
    );
    assert_refused(verdict, "replay-rtmr3");
}

#[test]
fn logs_that_are_named_are_used_or_refused() {
    let fixture = Fixture::new();
    let honest = logs("root=/dev/vda1", &["app 1"]);
    evidence(&fixture, &honest, &honest);
    fixture.write("log", &honest[1]);
    let (status, said) = fixture.tdx("replay evidence");
    assert_eq!(status, 0, "{said}");
    for more in ["--runtime-log log", "--ima log"] {
        let (status, said) = fixture.tdx(&format!("replay evidence {more}"));
        assert_eq!(status, 3, "{said}");
        assert!(said.contains("evidence is evidence, which has"), "{said}");
    }
}

#[test]
fn expected_events_hold_only_if_something_vouches_for_them() {
    let fixture = Fixture::new();
    let honest = logs("root=/dev/vda1", &["app 1"]);
    evidence(&fixture, &honest, &honest);
    // Without any value left out, and without that of RTMR3 then, but with its events.
    let (_, with_value) = fixture.tdx("policy new --from evidence --without mrowner");
    let without_value: String = with_value
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("rtmr3 "))
        .collect();
    assert_ne!(with_value, without_value);
    fixture.write("with-value", with_value.as_bytes());
    fixture.write("policy", without_value.as_bytes());
    assert_believed(fixture.verify("evidence --policy policy"));

    // The log says what is expected, and another program ran.
    evidence(&fixture, &honest, &logs("root=/dev/vda1", &["evil"]));
    assert_refused(fixture.verify("evidence --policy policy"), "replay-rtmr3");
    let verdict = fixture.verify("evidence --policy policy --unlogged 3");
    assert!(
        verdict
            .1
            .contains("-      events-rtmr3     as expected, and"),
        "{}",
        verdict.1
    );
    assert_believed(verdict);
    // It says something else.
    let other = logs("root=/dev/vda1", &["other"]);
    evidence(&fixture, &other, &honest);
    assert_refused(
        fixture.verify("evidence --policy policy --unlogged 3"),
        "events-rtmr3",
    );

    // A Quote by itself.
    let read = fs::read(fixture.path("evidence")).expect("evidence");
    let quote = Evidence::from_json(&read).expect("evidence").quote;
    fixture.write("quote", &quote);
    assert_refused(fixture.verify("quote --policy policy"), "events-rtmr3");
    let verdict = fixture.verify("quote --policy with-value");
    assert!(
        verdict
            .1
            .contains("-      events-rtmr3     there are no logs"),
        "{}",
        verdict.1
    );
    assert_believed(verdict);
    for (policy, expected) in [("policy", 1), ("with-value", 0)] {
        let (status, said) = fixture.tdx(&format!("policy check {policy} --from quote"));
        assert_eq!(status, expected, "{said}");
    }
}
