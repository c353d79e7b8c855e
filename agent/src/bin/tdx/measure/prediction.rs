// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What registers are expected to be, and which events lead to that.

use anyhow::Result;
use serde::{Serialize, Serializer};
use tdx_agent::{Claim, ExpectedEvent, Policy};
use tdx_firmware::event_log::EventLog;
use tdx_firmware::expect::{Boot, Difference, What};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::{EventType, Sha2};
use tdx_uapi::Digest;

/// What registers are expected to be, and which events lead to that.
#[derive(Debug, Serialize)]
pub(super) struct Prediction {
    #[serde(serialize_with = "as_text")]
    mrtd: Digest,
    rtmr: [Register; 4],
    pub(super) events: Vec<Event>,
}

/// A register. It has a value, or something is missing.
#[derive(Debug, Serialize)]
struct Register {
    #[serde(serialize_with = "as_optional_text")]
    value: Option<Digest>,
    missing: Vec<String>,
}

/// An event that is expected.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) rtmr: u8,
    pub(super) event_type: String,
    pub(super) what: String,
    #[serde(serialize_with = "as_optional_text")]
    pub(super) digest: Option<Digest>,
}

fn as_text<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

fn as_optional_text<S: Serializer>(
    digest: &Option<Digest>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match digest {
        Some(digest) => serializer.collect_str(digest),
        None => serializer.serialize_none(),
    }
}

/// The registers' names.
const NAMES: [&str; 4] = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];

/// What is claimed of a log, for each register.
const EVENTS: [&str; 4] = [
    "events-rtmr0",
    "events-rtmr1",
    "events-rtmr2",
    "events-rtmr3",
];

/// What is expected of a boot, and what of that is so according to a log.
pub(super) fn predict(boot: &Boot<'_>, log: Option<&[u8]>) -> Result<(Prediction, Vec<Claim>)> {
    let mut events = Vec::new();
    let mut missing: [Vec<String>; 4] = Default::default();
    boot.events(&Sha2, |event| {
        if event.digest.is_none() {
            missing[event.rtmr as usize].push(format!("{}{}", event.what, advice(event.what)));
        }
        events.push(Event {
            rtmr: event.rtmr as u8,
            event_type: name(event.event_type),
            what: event.what.to_string(),
            digest: event.digest,
        });
    })?;
    let mut values = boot.rtmrs(&Sha2)?.into_iter();
    let prediction = Prediction {
        mrtd: mrtd(&Sha2, &boot.firmware, RecordOrder::PageByPage),
        rtmr: missing.map(|missing| Register {
            value: values.next().flatten(),
            missing,
        }),
        events,
    };
    let claims = match log {
        Some(log) => compare(boot, &EventLog::parse(log)?, &prediction)?,
        None => Vec::new(),
    };
    Ok((prediction, claims))
}

/// An event type's name, as other verbs have it.
fn name(event_type: EventType) -> String {
    let name = event_type.to_string();
    name.strip_prefix("EV_").unwrap_or(&name).to_owned()
}

/// A difference, for people.
fn explain(difference: &Difference<'_, '_>) -> String {
    let digest = |digest: Option<Digest>| digest.map_or("nothing".into(), |one| one.to_string());
    match difference {
        Difference::Changed { expected, found } => format!(
            "{} differs: expected {}, found {}",
            expected.what,
            digest(expected.digest),
            digest(found.digest().copied())
        ),
        Difference::Missing(expected) => format!("missing: {}", expected.what),
        Difference::Unexpected(found) => {
            format!(
                "not expected: {} {}",
                name(found.event_type),
                found.decode()
            )
        }
    }
}

/// Which option would say what is missing.
fn advice(what: What<'_>) -> &'static str {
    match what {
        What::TdHob => " (--memory)",
        What::FwCfgFiles | What::AcpiData => " (--fw-cfg)",
        What::Smbios => " (--smbios)",
        What::BootVariables => " (--variables)",
        _ => "",
    }
}

/// A claim for each register, and for each event that differs.
fn compare(boot: &Boot<'_>, log: &EventLog<'_>, prediction: &Prediction) -> Result<Vec<Claim>> {
    let mut differences: [Vec<String>; 4] = Default::default();
    boot.compare(&Sha2, log, |difference| {
        let rtmr = match &difference {
            Difference::Changed { expected, .. } | Difference::Missing(expected) => {
                Some(expected.rtmr)
            }
            Difference::Unexpected(found) => found.rtmr(),
        };
        if let Some(rtmr) = rtmr {
            differences[rtmr as usize].push(explain(&difference));
        }
    })?;
    let mut claims = Vec::new();
    for (number, differences) in differences.into_iter().enumerate() {
        let name = EVENTS[number];
        let of_register = |event: &&Event| usize::from(event.rtmr) == number;
        let count = prediction.events.iter().filter(of_register).count();
        if differences.is_empty() {
            let unknown = prediction.rtmr[number].missing.len();
            claims.push(Claim::holds(
                name,
                match unknown {
                    0 => format!("{count} events, as expected"),
                    _ => format!("as expected, but for what is not known: {unknown} of {count}"),
                },
            ));
        }
        claims.extend(
            differences
                .into_iter()
                .map(|difference| Claim::fails(name, difference)),
        );
    }
    Ok(claims)
}

impl Prediction {
    /// The registers' names and values, or why there is none.
    pub(super) fn registers(&self) -> Vec<(&'static str, Result<Digest, String>)> {
        let rtmrs = NAMES.into_iter().zip(&self.rtmr).map(|(name, register)| {
            let why = || register.missing.join(", ");
            (name, register.value.ok_or_else(why))
        });
        // As wide as the others.
        [("mrtd ", Ok(self.mrtd))]
            .into_iter()
            .chain(rtmrs)
            .collect()
    }

    /// A policy that expects what is predicted, except for RTMR3, which is the programs'.
    pub(super) fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        let td = &mut policy.td;
        td.mrtd = Some(vec![self.mrtd.to_string()]);
        for (name, register) in NAMES.into_iter().zip(&self.rtmr).take(3) {
            if let (Some(list), Some(value)) = (td.list_mut(name), register.value) {
                *list = Some(vec![value.to_string()]);
            }
        }
        // Of a register of which not all events are known, none is of use.
        td.events = self
            .events
            .iter()
            .filter(|event| self.rtmr[usize::from(event.rtmr)].value.is_some())
            .filter_map(|event| {
                let says = format!("{} {}", event.event_type, event.what);
                Some(ExpectedEvent::new(event.rtmr, event.digest?, says))
            })
            .collect();
        policy
    }
}
