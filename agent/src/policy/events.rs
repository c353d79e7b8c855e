// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Events that are expected, and which of those in logs are not as expected.

use super::{Policy, TdPolicy};
use crate::claim::Claim;
use crate::measured::Measured;
use crate::replay::{counted, Event, Replay};
use serde::{Deserialize, Serialize};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// An event that is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpectedEvent {
    /// The number of its register.
    pub rtmr: u8,
    /// What the register is extended with.
    pub digest: String,
    /// What the event said of it, for people.
    #[serde(default)]
    pub says: String,
}

impl ExpectedEvent {
    /// An event of this register that extends it with this, and for people what it is.
    pub fn new(rtmr: u8, digest: Digest, says: impl Into<String>) -> Self {
        Self {
            rtmr,
            digest: digest.to_string(),
            says: says.into(),
        }
    }
}

/// How many differences of a register are told.
const SHOWN: usize = 3;

impl Policy {
    /// Whether the events of logs are those that are expected.
    ///
    /// What logs say is worth nothing by itself. Where they do not lead to the register, its events are not said to hold:
    /// they fail if they differ, and are unchecked if they do not. Without logs, they are unchecked if the policy has values
    /// of the register, which vouch for what it was extended with, and fail if it has none, because nothing does then.
    pub fn event_claims(&self, replay: Option<&Replay>, measured: &Measured) -> Vec<Claim> {
        const NAMES: [&str; 4] = [
            "events-rtmr0",
            "events-rtmr1",
            "events-rtmr2",
            "events-rtmr3",
        ];
        let mut claims = Vec::new();
        for rtmr in RtmrIndex::ALL {
            let name = NAMES[rtmr as usize];
            let expected: Vec<_> = self
                .td
                .events
                .iter()
                .filter(|event| event.rtmr == rtmr as u8)
                .collect();
            if expected.is_empty() {
                continue;
            }
            let Some(replay) = replay else {
                claims.push(self.without_logs(name, rtmr));
                continue;
            };
            let found: Vec<_> = replay.extensions(rtmr).collect();
            let differences = differences(&found, &expected);
            let leads = replay.registers[rtmr as usize] == measured.rtmr[rtmr as usize];
            claims.push(match (differences.as_slice(), leads) {
                ([], true) => Claim::holds(name, counted(found.len())),
                ([], false) => Claim::unchecked(
                    name,
                    "as expected, and the logs do not lead to the register, so that they prove nothing",
                ),
                (differences, _) => Claim::fails(name, differences.join("; ")),
            });
        }
        claims
    }

    /// What is said of the events of a register when there are no logs.
    fn without_logs(&self, name: &'static str, rtmr: RtmrIndex) -> Claim {
        let values = [
            &self.td.rtmr0,
            &self.td.rtmr1,
            &self.td.rtmr2,
            &self.td.rtmr3,
        ];
        match values[rtmr as usize] {
            Some(_) => Claim::unchecked(
                name,
                "there are no logs; the policy's value of the register vouches",
            ),
            None => Claim::fails(
                name,
                "there are no logs, and the policy has no value of the register, so that nothing vouches for its events",
            ),
        }
    }
}

impl TdPolicy {
    /// Expects the events of these logs, except for those of the registers in `without`.
    pub fn expect_events(&mut self, replay: &Replay, without: &[&str]) {
        let expected = replay.events.iter().filter_map(|event| {
            let rtmr = event.rtmr?;
            if without.contains(&format!("rtmr{rtmr}").as_str()) {
                return None;
            }
            Some(ExpectedEvent {
                rtmr,
                digest: event.digest?.to_string(),
                says: says(event),
            })
        });
        self.events = expected.collect();
    }
}

fn says(event: &Event) -> String {
    format!("{} {}", event.event_type, event.description)
}

/// The digests of expected events. One that is none is as good as one that nothing has.
fn digest(expected: &ExpectedEvent) -> Option<Digest> {
    let bytes = hex::decode(&expected.digest).ok()?;
    bytes.try_into().ok().map(Digest)
}

/// Where events differ from what is expected, the first few of them.
fn differences(found: &[&Event], expected: &[&ExpectedEvent]) -> Vec<String> {
    let wanted: Vec<_> = expected.iter().map(|one| digest(one)).collect();
    let found_digests: Vec<_> = found.iter().map(|one| one.digest).collect();
    let (mut at, mut next) = (0, 0);
    let mut differences = Vec::new();
    while at < found.len() || next < expected.len() {
        if differences.len() == SHOWN {
            differences.push("and so on".into());
            break;
        }
        let (event, wants) = (found.get(at), expected.get(next));
        match (event, wants) {
            (Some(event), Some(wants)) if event.digest != wanted[next] => {
                let comes_later = wanted[next + 1..].contains(&event.digest);
                if found_digests[at + 1..].contains(&wanted[next]) && !comes_later {
                    differences.push(extra(event));
                    at += 1;
                    continue;
                }
                if comes_later {
                    differences.push(format!(
                        "{} is missing before event {}",
                        wants.says, event.number
                    ));
                    next += 1;
                    continue;
                }
                differences.push(changed(event, wants));
            }
            (Some(event), None) => differences.push(extra(event)),
            (None, Some(wants)) => {
                differences.push(format!("the log ends before {}", wants.says));
                break;
            }
            _ => {}
        }
        at += 1;
        next += 1;
    }
    differences
}

fn extra(event: &Event) -> String {
    format!("event {} ({}) was not expected", event.number, says(event))
}

fn changed(event: &Event, wants: &ExpectedEvent) -> String {
    let found = event
        .digest
        .map_or_else(|| "none".into(), |digest| digest.to_string());
    if says(event) == wants.says {
        return format!(
            "event {} ({}) is of other contents: found digest {found}, expected {}",
            event.number, wants.says, wants.digest
        );
    }
    format!(
        "event {} is {}, expected {} (found digest {found}, expected {})",
        event.number,
        says(event),
        wants.says,
        wants.digest
    )
}
