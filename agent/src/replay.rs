// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What logs say was measured, against the registers.
//!
//! ```
//! use tdx_agent::replay::{Logs, Replay};
//!
//! /// Prints where a log and the registers of a report do not agree.
//! fn explain(ccel: &[u8], found: [tdx_uapi::Digest; 4]) -> Result<(), Box<dyn std::error::Error>> {
//!     let replay = Replay::new(&Logs { boot: Some(ccel), ..Logs::default() })?;
//!     for claim in replay.claims(&found) {
//!         println!("{claim}");
//!     }
//!     Ok(())
//! }
//! ```

mod explain;
mod html;
mod ima;

pub use html::html;

use crate::claim::Claim;
#[cfg(target_os = "linux")]
use crate::runtime_log::Note;
use crate::visible;
use serde::Serialize;
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::{DataCheck, EventLog, HeaderError};
use tdx_firmware::{HashEngine as _, Rtmrs, Sha2};
use tdx_uapi::Digest;

/// The logs of a boot, in the form of the CC event log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logs<'a> {
    /// That of the firmware and the boot loader (CCEL).
    pub boot: Option<&'a [u8]>,
    /// That of the programs in the TD.
    pub runtime: Option<&'a [u8]>,
    /// The kernel's list of measured files, as `ascii_runtime_measurements_sha384` has it.
    pub ima: Option<&'a [u8]>,
}

/// Which of the logs an event is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// That of the boot.
    Boot,
    /// The kernel's list of measured files.
    Ima,
    /// That of the programs.
    Runtime,
}

/// An event, and what it does to the registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Its number, counted through all logs from 1.
    pub number: usize,
    /// The log.
    pub source: Source,
    /// Where in the log it begins.
    pub offset: usize,
    /// The register that it names.
    pub register: String,
    /// The RTMR that it extends, if it does.
    pub rtmr: Option<u8>,
    /// Its type.
    pub event_type: String,
    /// What the register is extended with.
    #[serde(serialize_with = "as_text")]
    pub digest: Option<Digest>,
    /// What it says was measured; one line of [`visible`] text.
    pub description: String,
    /// The register's value from then on.
    #[serde(serialize_with = "as_text")]
    pub value: Option<Digest>,
    /// The register's value as a runtime log noted it there, before an extension or where it found another one.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub noted: Option<Digest>,
    /// Whether the digest is that of what the event says; nothing if the log does not have what was measured.
    pub data_holds: Option<bool>,
}

/// Logs, replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replay {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Where a log ends because the next event is broken, or one too many.
    pub broken: Option<String>,
    /// What the registers must be if the logs are true and complete.
    #[serde(serialize_with = "as_texts")]
    pub registers: [Digest; 4],
}

/// Why logs cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {log} log is none: {error}")]
pub struct ReplayError {
    log: &'static str,
    error: HeaderError,
}

fn as_text<S: serde::Serializer>(
    digest: &Option<Digest>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    digest
        .map(|digest| digest.to_string())
        .serialize(serializer)
}

fn as_texts<S: serde::Serializer>(digests: &[Digest; 4], serializer: S) -> Result<S::Ok, S::Error> {
    digests
        .map(|digest| digest.to_string())
        .serialize(serializer)
}

impl Event {
    /// Whether a runtime log says here that something else had extended the register.
    pub fn is_gap(&self) -> bool {
        self.source == Source::Runtime && self.rtmr.is_none() && self.description.starts_with(GAP)
    }
}

impl Replay {
    /// How many events are read of all logs together, so that what a hostile TD sends does not fill its verifier's memory.
    /// Real boots have some hundred.
    pub const MAX_EVENTS: usize = 100_000;

    /// Replays the logs, the boot's first and then the kernel's, from registers of zeros.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if what is to be a log has no header of one.
    pub fn new(logs: &Logs<'_>) -> Result<Self, ReplayError> {
        let mut replay = Self {
            events: Vec::new(),
            broken: None,
            registers: [Digest::ZERO; 4],
        };
        if let Some(log) = logs.boot {
            replay.add(Source::Boot, "boot", log)?;
        }
        if let Some(list) = logs.ima {
            ima::add(&mut replay, list);
        }
        if let Some(log) = logs.runtime {
            replay.add(Source::Runtime, "runtime", log)?;
        }
        Ok(replay)
    }

    fn add(&mut self, source: Source, name: &'static str, log: &[u8]) -> Result<(), ReplayError> {
        let log = EventLog::parse(log).map_err(|error| ReplayError { log: name, error })?;
        let mut registers = Rtmrs(self.registers);
        for event in log.events() {
            let event = match event {
                Ok(event) if self.has_room(name) => event,
                Ok(_) => break,
                Err(error) => {
                    self.end(format!("the {name} log: {error}"));
                    break;
                }
            };
            let rtmr = event.rtmr().filter(|_| event.digest().is_some());
            if let (Some(rtmr), Some(digest)) = (rtmr, event.digest()) {
                registers.extend(&Sha2, rtmr, digest);
            }
            self.events.push(Event {
                number: self.events.len() + 1,
                source,
                offset: event.offset,
                register: event.mr.to_string(),
                rtmr: rtmr.map(|rtmr| rtmr as u8),
                event_type: event.event_type.to_string(),
                digest: event.digest().copied(),
                description: visible(&describe(source, &event)),
                value: rtmr.map(|rtmr| registers[rtmr]),
                noted: noted(source, &event),
                data_holds: data_holds(&event),
            });
        }
        self.registers = registers.0;
        Ok(())
    }

    /// Whether another event is read. If not, that is where the logs end.
    fn has_room(&mut self, log: &str) -> bool {
        let room = self.events.len() < Self::MAX_EVENTS;
        if !room {
            self.end(format!(
                "the {log} log: the logs have more than {} events, and the rest is not read",
                Self::MAX_EVENTS
            ));
        }
        room
    }

    /// Notes where a log ends too early, if no other one does.
    fn end(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// The events that extend a register.
    pub fn extensions(&self, rtmr: RtmrIndex) -> impl DoubleEndedIterator<Item = &Event> {
        self.events
            .iter()
            .filter(move |event| event.rtmr == Some(rtmr as u8))
    }

    /// Whether the registers have the values that the logs lead to, and if not, why.
    pub fn claims(&self, found: &[Digest; 4]) -> Vec<Claim> {
        const NAMES: [&str; 4] = [
            "replay-rtmr0",
            "replay-rtmr1",
            "replay-rtmr2",
            "replay-rtmr3",
        ];
        let mut claims = vec![self.log_claim()];
        for rtmr in RtmrIndex::ALL {
            let (name, found) = (NAMES[rtmr as usize], &found[rtmr as usize]);
            let count = self.extensions(rtmr).count();
            claims.push(match explain::mismatch(self, rtmr, found) {
                None => Claim::holds(name, format!("{} to {found}", lead(count))),
                Some(why) => Claim::fails(
                    name,
                    format!(
                        "{why} (found {found}, while {} to {})",
                        lead(count),
                        self.registers[rtmr as usize]
                    ),
                ),
            });
        }
        claims
    }

    /// Whether the logs are whole, and every event says what was measured.
    fn log_claim(&self) -> Claim {
        const NAME: &str = "event-log";
        let lies: Vec<_> = self
            .events
            .iter()
            .filter(|event| event.data_holds == Some(false))
            .collect();
        match (&self.broken, lies.as_slice()) {
            (Some(why), _) => Claim::fails(NAME, why.clone()),
            (None, []) => Claim::holds(NAME, counted(self.events.len())),
            (None, [first, ..]) => Claim::fails(
                NAME,
                format!(
                    "what event {} of {} says ({} {}) is not what its digest is of",
                    first.number, first.register, first.event_type, first.description
                ),
            ),
        }
    }
}

/// So many events.
pub(crate) fn counted(events: usize) -> String {
    match events {
        1 => "1 event".into(),
        _ => format!("{events} events"),
    }
}

/// That so many events lead, to a value that is to follow.
fn lead(events: usize) -> String {
    let verb = if events == 1 { "leads" } else { "lead" };
    format!("{} {verb}", counted(events))
}

/// What a note of a gap begins with.
const GAP: &str = "something that is not in this log";

/// What an event says, or what a runtime log says of itself.
fn describe(source: Source, event: &tdx_firmware::event_log::Event<'_>) -> String {
    #[cfg(target_os = "linux")]
    if source == Source::Runtime {
        match Note::of(event) {
            Some(Note::Boot(boot)) => {
                return format!("runtime log of boot {}", String::from_utf8_lossy(boot))
            }
            Some(Note::Intent { digest, data, .. }) => {
                return format!(
                    "intent to extend with {digest}: {}",
                    String::from_utf8_lossy(data)
                )
            }
            Some(Note::Abandoned) => return "the extension did not happen".into(),
            Some(Note::Gap { found }) => {
                return format!("{GAP} extended the register; it was then {found}")
            }
            _ => {}
        }
    }
    let _ = source;
    event.decode().to_string()
}

/// The register's value as a runtime log noted it.
fn noted(source: Source, event: &tdx_firmware::event_log::Event<'_>) -> Option<Digest> {
    #[cfg(target_os = "linux")]
    if source == Source::Runtime {
        return match Note::of(event)? {
            Note::Intent { before, .. } => Some(before),
            Note::Gap { found } => Some(found),
            _ => None,
        };
    }
    let _ = (source, event);
    None
}

/// Whether the digest is that of what the event says was measured; nothing where it does not say that.
pub(crate) fn data_holds(event: &tdx_firmware::event_log::Event<'_>) -> Option<bool> {
    match event.check(&Sha2) {
        DataCheck::Holds => Some(true),
        DataCheck::Differs => Some(false),
        // Programs' events of this type have the text that was measured.
        DataCheck::NotInLog => (event.event_type == tdx_firmware::EventType::ACTION).then(|| {
            event
                .digest()
                .is_some_and(|digest| *digest == Sha2.digest(&[event.data]))
        }),
    }
}
