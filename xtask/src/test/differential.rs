// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reader of event logs beside cctrusted's, which is in Python: real logs, and the same with some bytes changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context as _, Result};
use serde::Deserialize;
use tdx_firmware::event_log::EventLog;

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::pypi;
use crate::disposal::discard;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "event-log-differential",
    about: "real and changed event logs read as cctrusted reads them",
    tier: Tier::Landing,
    run: check,
}];

const SCRIPT: &str = include_str!("differential/events.py");

/// The real logs, those first that cctrusted reads to the end.
const LOGS: [&str; 4] = [
    "ccel-grub.bin",
    "ccel-direct-unpadded.bin",
    "ccel-duplicate-separator.bin",
    "ccel-foreign-order.bin",
];

/// How many changed logs are made of each.
const CHANGED: usize = 100;

/// An event, as one reader has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Event {
    mr: u32,
    event_type: u32,
    digests: Vec<(u16, String)>,
    data: String,
}

/// What a reader makes of a log.
#[derive(Debug, Default, Deserialize)]
struct Read {
    /// With the header.
    events: Vec<Event>,
    /// Why the reader did not get to the end.
    error: Option<String>,
}

fn check(context: &Context<'_>) -> Result<Verdict> {
    let environment = context.environment;
    let paths = &environment.paths;
    let folder = testdata::folder();
    if !folder.is_dir() {
        let reason = format!("there is no folder {} with real logs", folder.display());
        return Ok(Verdict::Skipped(reason));
    }
    let packages = pypi::clients(environment, &context.progress)?;
    let mut step = context.progress.step("event logs, read by cctrusted")?;
    let work = paths.build("event-logs");
    discard(paths, &work)?;
    fs::create_dir_all(&work)?;
    let logs = logs(&folder)?;
    let enclosure = environment
        .enclosure()
        .bind_read_only(packages, "/pypi")
        .bind_read_only(&work, "/logs");
    let mut python = enclosure.command("python3");
    python
        .env("PYTHONPATH", "/pypi")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python.args(["-c", SCRIPT]);
    for (number, (_, log)) in logs.iter().enumerate() {
        let name = format!("{number}.bin");
        fs::write(work.join(&name), log)?;
        python.arg(Path::new("/logs").join(&name));
    }
    let output = step.output(&mut python)?;
    let lines: Vec<_> = output.lines().collect();
    ensure!(
        lines.len() == logs.len(),
        "cctrusted read {} of {} logs",
        lines.len(),
        logs.len()
    );
    let (mut events, mut real) = (0, Vec::new());
    for ((name, log), line) in logs.iter().zip(lines) {
        let theirs: Read = serde_json::from_str(line).context("what the script prints")?;
        let ours = ours(log);
        let what = || format!("{name}, number {} in {}", real.len(), work.display());
        let same = compare(log, &ours, &theirs).with_context(what)?;
        if real.len() % (CHANGED + 1) == 0 {
            as_it_is(&ours, &theirs).with_context(what)?;
        }
        events += same;
        real.push((name, same));
    }
    step.done();
    let of_real: Vec<_> = LOGS
        .iter()
        .filter_map(|log| real.iter().find(|(name, _)| *name == log))
        .map(|(name, same)| format!("{name} {same}"))
        .collect();
    Ok(Verdict::Passed(format!(
        "{events} events the same in {} logs; of the real ones {}",
        logs.len(),
        of_real.join(", ")
    )))
}

/// The logs by name: the real ones as they are, each followed by changed ones.
fn logs(folder: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut logs = Vec::new();
    for name in LOGS {
        let path: PathBuf = folder.join(name);
        let log = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let events = EventLog::parse(&log)?.events();
        let start = events.offset();
        let mut events = events;
        events.by_ref().for_each(drop);
        let used = events.offset();
        logs.push((name, log.clone()));
        for _ in 0..CHANGED {
            let mut changed = log.clone();
            // Behind the header: of other lengths of digests than TCG's our reader thinks otherwise.
            for _ in 0..=below(&mut random, 3) {
                let at = start + below(&mut random, used - start);
                changed[at] = below(&mut random, 256) as u8;
            }
            if below(&mut random, 4) == 0 {
                changed.truncate(start + below(&mut random, used - start));
            }
            logs.push((name, changed));
        }
    }
    Ok(logs)
}

/// A number below `limit`, the same ones in every run: xorshift.
fn below(state: &mut u64, limit: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % limit.max(1) as u64) as usize
}

/// What our reader makes of a log.
fn ours(bytes: &[u8]) -> Read {
    let log = match EventLog::parse(bytes) {
        Ok(log) => log,
        Err(error) => {
            return Read {
                error: Some(error.to_string()),
                ..Read::default()
            }
        }
    };
    let header = &bytes[..log.events().offset()];
    let mut read = Read::default();
    read.events.push(Event {
        mr: log.spec_id().mr.0,
        event_type: log.spec_id().event_type.0,
        digests: Vec::new(),
        data: hex::encode(&header[32..]),
    });
    for event in log.events() {
        match event {
            Ok(event) => {
                let digests = event.digests.iter();
                read.events.push(Event {
                    mr: event.mr.0,
                    event_type: event.event_type.0,
                    digests: digests
                        .map(|(algorithm, digest)| (algorithm, hex::encode(digest)))
                        .collect(),
                    data: hex::encode(event.data),
                });
            }
            Err(error) => read.error = Some(error.to_string()),
        }
    }
    read
}

/// Compares the events that both readers have, and counts them. Where one has more, there is a reason that is known.
fn compare(log: &[u8], ours: &Read, theirs: &Read) -> Result<usize> {
    let pairs = ours.events.iter().zip(&theirs.events);
    for (index, (our, their)) in pairs.enumerate() {
        ensure!(
            our == their,
            "event {index} is {our:?} here and {their:?} there"
        );
    }
    let (our, their) = (ours.events.len(), theirs.events.len());
    match (ours.events.get(their), theirs.events.get(our)) {
        // It ends with an event of MR -1, and with an error where a register has no counter.
        (Some(next), _) => ensure!(
            theirs.error.is_some() || next.mr == u32::MAX,
            "cctrusted leaves out event {their}, {next:?}"
        ),
        // It reads what is cut as if it were whole, and zeros at the end as events.
        (None, Some(next)) => {
            let zeros = log.last() == Some(&0) && next.mr == 0 && next.event_type == 0;
            ensure!(
                ours.error.is_some() || zeros,
                "only cctrusted has event {our}, {next:?}"
            );
        }
        // Where it does not refuse, our reader may: a cut is noticed here only.
        (None, None) => ensure!(
            theirs.error.is_none() || ours.error.is_some(),
            "only cctrusted fails behind event {our}: {:?}",
            theirs.error
        ),
    }
    Ok(our.min(their))
}

/// A real log, unchanged, both readers read to the end. Else little might be compared, and nobody notice.
fn as_it_is(ours: &Read, theirs: &Read) -> Result<()> {
    ensure!(
        ours.error.is_none()
            && theirs.error.is_none()
            && theirs.events.len() > 1
            && ours.events.len() >= theirs.events.len(),
        "a real log is {} events and {:?} here, {} events and {:?} there",
        ours.events.len(),
        ours.error,
        theirs.events.len(),
        theirs.error
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mr: u32) -> Event {
        Event {
            mr,
            event_type: 4,
            digests: vec![(12, "00".into())],
            data: String::new(),
        }
    }

    fn read(mrs: &[u32]) -> Read {
        Read {
            events: mrs.iter().copied().map(event).collect(),
            error: None,
        }
    }

    #[test]
    fn a_real_log_is_read_to_the_end() {
        let broken = Read {
            error: Some("no".into()),
            ..read(&[1, 2])
        };
        assert!(as_it_is(&read(&[1, 2]), &read(&[1, 2])).is_ok());
        assert!(as_it_is(&broken, &read(&[1, 2])).is_err());
        assert!(as_it_is(&read(&[1, 2]), &broken).is_err());
        assert!(as_it_is(&read(&[1]), &read(&[1])).is_err());
    }

    #[test]
    fn another_event_or_one_less_is_a_difference() {
        let log = [1];
        assert_eq!(compare(&log, &read(&[1, 2]), &read(&[1, 2])).unwrap(), 2);
        assert!(compare(&log, &read(&[1, 2]), &read(&[1, 3])).is_err());
        assert!(compare(&log, &read(&[1, 2]), &read(&[1])).is_err());
        assert!(compare(&log, &read(&[1]), &read(&[1, 2])).is_err());
        assert_eq!(
            compare(&log, &read(&[1, u32::MAX]), &read(&[1])).unwrap(),
            1
        );
    }
}
