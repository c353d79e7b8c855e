// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of TDs that were booted through TDVF, judged outside of them: the honest one is believed, and whatever was
//! tampered with is named.

mod judge;

use std::fs;

use anyhow::{ensure, Context as _, Result};
use tdx_firmware::{EventType, HashEngine as _, MrIndex, Sha2};

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::td;
use crate::vm::cli::BootChoice;
use crate::vm::Guest;
use judge::Judge;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "evidence",
        about: "`tdx verify` believes evidence of a TD, and names what was extended and not logged, or logged and not extended",
        tier: Tier::Landing,
        run: programs,
    },
    Check {
        name: "evidence-boots",
        about: "with the policy of another boot, `tdx verify` names another command line, and another initial file system",
        tier: Tier::All,
        run: boots,
    },
];

/// Where the TD's kernel shows RTMR3, which it extends by what is written there.
const RTMR3: &str = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384";

/// What separates files in what a guest says.
const MARK: &str = "@@@@";

/// What a program measures, what another one claims to have measured, and what the last one measures.
const MEASURED: &str = "configuration 7";
const INVENTED: &str = "antivirus is running";
const LATER: &str = "configuration 8";

/// A TD that TDVF boots, with `tdx`.
fn guest(context: &Context<'_>, name: &str) -> Result<Guest> {
    let mut guest = context.guest(name, Which::Rust)?;
    guest.files.push(context.tdx()?.into());
    td::boot(
        &mut guest,
        context.environment,
        BootChoice::Tdvf,
        &context.progress,
    )?;
    Ok(guest)
}

/// Boots a guest, runs a script that writes files, and gives these to the judge.
fn collect(
    context: &Context<'_>,
    judge: &Judge,
    guest: &Guest,
    script: &str,
    files: &[&str],
    prefix: &str,
) -> Result<()> {
    let mut script = format!("set -e\nPATH=$PWD:$PATH\n{{\n{script}\n}} >/dev/null\n");
    for file in files {
        script.push_str(&format!("echo {MARK}\ncat {file}\n"));
    }
    let output = context.succeed(guest, &["sh", "-c", &script])?;
    let output = String::from_utf8(output).context("what the TD wrote")?;
    let mark = format!("{MARK}\n");
    let mut parts = output.split(&mark).skip(1);
    for file in files {
        let contents = parts.next();
        let contents = contents.with_context(|| format!("the TD has no {file}"))?;
        judge.write(&format!("{prefix}{file}"), contents)?;
    }
    Ok(())
}

/// A record of a log that says that a text was measured into RTMR3.
fn record(text: &str) -> Vec<u8> {
    let mut record = Vec::new();
    record.extend(MrIndex::from(tdx_call::RtmrIndex::Rtmr3).0.to_le_bytes());
    record.extend(EventType::ACTION.0.to_le_bytes());
    record.extend(1_u32.to_le_bytes());
    record.extend(tdx_firmware::event_log::algorithm::SHA384.to_le_bytes());
    record.extend(Sha2.digest(&[text.as_bytes()]).0);
    record.extend((text.len() as u32).to_le_bytes());
    record.extend(text.as_bytes());
    record
}

/// What programs do behind the back of the log is named.
fn programs(context: &Context<'_>) -> Result<Verdict> {
    let judge = Judge::new(context)?;
    let verifier = context.verifier()?;
    let mut guest = guest(context, "evidence")?;
    guest
        .files
        .push(verifier.write("record", record(INVENTED))?);
    guest.files.push(verifier.write("digest", [7; 48])?);
    let log = "/run/tdx/runtime.log";
    let script = format!(
        "collect() {{ tdx evidence --nonce text:mine --out $1.json; }}
        collect unused
        tdx policy new >policy.toml
        tdx extend '{MEASURED}'
        collect honest
        cp {log} kept
        cat record >>{log}
        collect invented
        cp kept {log}
        cat digest >{RTMR3}
        collect unlogged
        tdx extend '{LATER}' && exit 9
        collect located
        cp {log} kept
        cat record >>{log}
        collect both"
    );
    let files = [
        "policy.toml",
        "unused.json",
        "honest.json",
        "invented.json",
        "unlogged.json",
        "located.json",
        "both.json",
    ];
    collect(context, &judge, &guest, &script, &files, "")?;
    judge.believe("unused.json")?;
    judge.believe("honest.json")?;
    let invented = format!("(EV_ACTION \"{INVENTED}\") in the log did not happen");
    judge.refuse(
        "invented.json",
        &[("replay-rtmr3", &[&invented, "(found ", "2 events lead to "])],
    )?;
    let unlogged = format!("(EV_ACTION \"{MEASURED}\") without logging it");
    let unlogged: &[&str] = &[
        "something extended RTMR3 after event ",
        &unlogged,
        "(found ",
        "1 event leads to ",
    ];
    judge.refuse("unlogged.json", &[("replay-rtmr3", unlogged)])?;
    let located =
        format!("(EV_ACTION \"{MEASURED}\") something extended RTMR3 without logging it (");
    judge.refuse("located.json", &[("replay-rtmr3", &[&located])])?;
    let located = "something extended RTMR3 without logging it; event ";
    judge.refuse("both.json", &[("replay-rtmr3", &[located, &invented])])?;
    judge.show(context, "honest.json", 0)?;
    judge.show(context, "located.json", 1)?;
    Ok(Verdict::Passed(
        "2 are believed, 4 refused with the reason".into(),
    ))
}

/// What another boot measured is named.
fn boots(context: &Context<'_>) -> Result<Verdict> {
    const SCRIPT: &str =
        "tdx evidence --nonce text:mine --out evidence.json\ntdx policy new >policy.toml";
    let judge = Judge::new(context)?;
    // The same in each TD, because what it runs is in its initial file system.
    let run = |guest: &Guest, prefix| {
        let files = ["policy.toml", "evidence.json"];
        collect(context, &judge, guest, SCRIPT, &files, prefix)
    };
    let honest = guest(context, "evidence-boots: honest")?;
    run(&honest, "")?;
    judge.believe("evidence.json")?;

    let mut other = honest.clone();
    other.name = "evidence-boots: command line".into();
    other.append.push("init=/bin/sh".into());
    run(&other, "line-")?;
    refuse_event(&judge, "line-evidence.json", "load options: ")?;
    judge.show(context, "line-evidence.json", 1)?;

    let mut other = honest.clone();
    other.name = "evidence-boots: initial file system".into();
    let changed = context.verifier()?.write("changed", "changed")?;
    other.files.push(changed);
    run(&other, "initrd-")?;
    refuse_event(&judge, "initrd-evidence.json", "initrd: ")?;

    // With the log of the honest boot, the register does not agree.
    splice(&judge, "initrd-evidence.json", "evidence.json")?;
    judge.refuse(
        "spliced.json",
        &[
            ("rtmr2", &["found ", ", expected "]),
            ("replay-rtmr2", &["RTMR2", "(found ", "2 events lead to "]),
        ],
    )?;
    Ok(Verdict::Passed(
        "1 is believed, 3 refused with the reason".into(),
    ))
}

/// Fails unless evidence is refused because of one event of RTMR2 that says this, and nothing else.
fn refuse_event(judge: &Judge, evidence: &str, says: &str) -> Result<()> {
    let event = format!("(EV_EVENT_TAG {says}");
    let said = judge.refuse(
        evidence,
        &[
            ("rtmr2", &["found ", ", expected "]),
            (
                "events-rtmr2",
                &[
                    &event,
                    ") is of other contents: found digest ",
                    ", expected ",
                ],
            ),
        ],
    )?;
    ensure!(
        said.matches("is of other contents").count() == 1,
        "{evidence}: one event differs, and it was said:\n{said}"
    );
    Ok(())
}

/// Puts the log of one piece of evidence to the Quote of another.
fn splice(judge: &Judge, quote: &str, log: &str) -> Result<()> {
    let read = |name: &str| -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&fs::read(
            judge.folder.path().join(name),
        )?)?)
    };
    let mut evidence = read(quote)?;
    evidence["cc_eventlog"] = read(log)?["cc_eventlog"].take();
    judge.write("spliced.json", &evidence.to_string())
}
