// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is expected of a TD.

use crate::claim::Claim;
use crate::replay::{Event, Replay};
use crate::{Measured, ReportData};
use serde::{Deserialize, Serialize};
use tdx_call::RtmrIndex;
use tdx_uapi::{Attributes, Digest};

/// What is expected of a TD, as a file in TOML:
///
/// ```
/// # let text = r#"
/// [tcb]
/// accept = ["UpToDate", "SWHardeningNeeded"]
///
/// [td]
/// mrtd = ["f858414aef26d52a…"]
/// # "#.replace("f858414aef26d52a…", &"0".repeat(96));
/// # let text = text + r#"
/// rtmr3 = ["000000000000…"]
/// # "#.replace("000000000000…", &"0".repeat(96)).trim_start();
/// # let policy = tdx_agent::Policy::from_toml(&text)?;
/// # assert_eq!(policy.tcb.accept.len(), 2);
/// # Ok::<(), tdx_agent::PolicyError>(())
/// ```
///
/// A measurement that is not named may have any value; one that is, any of those in its list. What is not known here is an
/// error, so that no expectation is lost by a misspelt name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Policy {
    /// What is expected of the platform underneath.
    pub tcb: TcbPolicy,
    /// What is expected of the TD.
    pub td: TdPolicy,
}

/// What is expected of the platform underneath.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TcbPolicy {
    /// Which TCB statuses are accepted, under the names that Intel gives them; `Revoked` never is.
    pub accept: Vec<String>,
    /// Security advisories that are not accepted, whatever the status is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reject_advisories: Vec<String>,
}

impl Default for TcbPolicy {
    fn default() -> Self {
        Self {
            accept: vec!["UpToDate".into()],
            reject_advisories: Vec::new(),
        }
    }
}

/// What is expected of the TD. Every list has the values that are accepted, as hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TdPolicy {
    /// Whether the TD may be one that its host can debug or profile.
    pub allow_debug: bool,
    /// Whether service TDs may be bound to it.
    pub allow_service_td: bool,
    /// MRSEAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrseam: Option<Vec<String>>,
    /// ATTRIBUTES, 8 bytes in the order in which a report has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
    /// XFAM, 8 bytes in the order in which a report has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xfam: Option<Vec<String>>,
    /// MRTD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrtd: Option<Vec<String>>,
    /// MRCONFIGID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrconfigid: Option<Vec<String>>,
    /// MROWNER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrowner: Option<Vec<String>>,
    /// MROWNERCONFIG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrownerconfig: Option<Vec<String>>,
    /// RTMR0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtmr0: Option<Vec<String>>,
    /// RTMR1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtmr1: Option<Vec<String>>,
    /// RTMR2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtmr2: Option<Vec<String>>,
    /// RTMR3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtmr3: Option<Vec<String>>,
    /// The events that extend the registers, in order. Where logs are at hand, the first one that differs is named; a
    /// register that no event here is of is not looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ExpectedEvent>,
}

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

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is not the TOML that is expected.
    #[error("not a policy: {0}")]
    Toml(String),
    /// A value is not of the right length, or no digits.
    #[error("not a policy: {name} has the value {found:?}, expected {digits} hexadecimal digits")]
    Value {
        /// Whose value.
        name: &'static str,
        /// The value.
        found: String,
        /// How long it must be.
        digits: usize,
    },
    /// There is no such TCB status.
    #[error("not a policy: there is no TCB status {found:?} that can be accepted, but {}", TCB_STATUSES.join(", "))]
    Status {
        /// What was found.
        found: String,
    },
}

/// The TCB statuses that can be accepted.
pub const TCB_STATUSES: [&str; 8] = [
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
];

/// What a debuggable or observable TD has one of: bits 7:0 of ATTRIBUTES.
const UNTRUSTED: u64 = 0xff;

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`].
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text)
            .map_err(|error| PolicyError::Toml(error.to_string().trim_end().to_owned()))?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks that all values are of the right form.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Value`] and [`PolicyError::Status`].
    pub fn check(&self) -> Result<(), PolicyError> {
        for (name, digits, values) in self.td.lists() {
            for found in values.into_iter().flatten() {
                if found.len() != digits || !found.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(PolicyError::Value {
                        name,
                        found: found.clone(),
                        digits,
                    });
                }
            }
        }
        match self
            .tcb
            .accept
            .iter()
            .find(|status| !TCB_STATUSES.contains(&status.as_str()))
        {
            Some(found) => Err(PolicyError::Status {
                found: found.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The policy as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("lists of text are TOML")
    }

    /// What of this is so, as far as it is about the TD.
    pub fn claims(&self, measured: &Measured) -> Vec<Claim> {
        let mut claims = vec![self.debug(measured), self.service_td(measured)];
        let fields: Vec<_> = measured.fields().collect();
        for (name, _, values) in self.td.lists() {
            let Some(values) = values else { continue };
            let found = fields.iter().find(|(field, _)| *field == name);
            let found = found.map_or("", |(_, value)| value);
            let matches = values.iter().any(|value| value.eq_ignore_ascii_case(found));
            claims.push(if matches {
                Claim::holds(name, found)
            } else {
                Claim::fails(
                    name,
                    format!("found {found}, expected {}", alternatives(values)),
                )
            });
        }
        claims
    }

    /// Whether the events of logs are those that are expected.
    pub fn event_claims(&self, replay: &Replay) -> Vec<Claim> {
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
            let found: Vec<_> = replay.extensions(rtmr).collect();
            claims.push(match first_difference(&found, &expected) {
                None => Claim::holds(name, format!("{} events", found.len())),
                Some(why) => Claim::fails(name, why),
            });
        }
        claims
    }

    fn debug(&self, measured: &Measured) -> Claim {
        let untrusted = Attributes(measured.attributes.0 & UNTRUSTED);
        match (untrusted.0, self.td.allow_debug) {
            (0, _) => Claim::holds("debug", "the host cannot debug or profile the TD"),
            (_, true) => Claim::holds("debug", format!("allowed, and set: {untrusted}")),
            (_, false) => Claim::fails(
                "debug",
                format!("the host can look into the TD: ATTRIBUTES has {untrusted}"),
            ),
        }
    }

    fn service_td(&self, measured: &Measured) -> Claim {
        let found = measured.service_td;
        match (found.0 == [0; 48], self.td.allow_service_td) {
            (true, _) => Claim::holds("service-td", "no service TD is bound to the TD"),
            (false, true) => Claim::holds("service-td", format!("allowed, and bound: {found}")),
            (false, false) => Claim::fails(
                "service-td",
                format!("service TDs are bound to the TD: {found}"),
            ),
        }
    }
}

impl TdPolicy {
    /// The lists with their names, and how many digits their values have.
    fn lists(&self) -> [(&'static str, usize, Option<&Vec<String>>); 11] {
        [
            ("mrseam", 96, self.mrseam.as_ref()),
            ("attributes", 16, self.attributes.as_ref()),
            ("xfam", 16, self.xfam.as_ref()),
            ("mrtd", 96, self.mrtd.as_ref()),
            ("mrconfigid", 96, self.mrconfigid.as_ref()),
            ("mrowner", 96, self.mrowner.as_ref()),
            ("mrownerconfig", 96, self.mrownerconfig.as_ref()),
            ("rtmr0", 96, self.rtmr0.as_ref()),
            ("rtmr1", 96, self.rtmr1.as_ref()),
            ("rtmr2", 96, self.rtmr2.as_ref()),
            ("rtmr3", 96, self.rtmr3.as_ref()),
        ]
    }

    /// The list of that name, to be set.
    pub fn list_mut(&mut self, name: &str) -> Option<&mut Option<Vec<String>>> {
        Some(match name {
            "mrseam" => &mut self.mrseam,
            "attributes" => &mut self.attributes,
            "xfam" => &mut self.xfam,
            "mrtd" => &mut self.mrtd,
            "mrconfigid" => &mut self.mrconfigid,
            "mrowner" => &mut self.mrowner,
            "mrownerconfig" => &mut self.mrownerconfig,
            "rtmr0" => &mut self.rtmr0,
            "rtmr1" => &mut self.rtmr1,
            "rtmr2" => &mut self.rtmr2,
            "rtmr3" => &mut self.rtmr3,
            _ => return None,
        })
    }

    /// Expects the events of these logs.
    pub fn expect_events(&mut self, replay: &Replay) {
        let expected = replay.events.iter().filter_map(|event| {
            Some(ExpectedEvent {
                rtmr: event.rtmr?,
                digest: event.digest?.to_string(),
                says: format!("{} {}", event.event_type, event.description),
            })
        });
        self.events = expected.collect();
    }

    /// The values that a TD has now, except for those in `without`.
    pub fn of(measured: &Measured, without: &[&str]) -> Self {
        let mut policy = Self::default();
        for (name, value) in measured.fields() {
            if without.contains(&name) {
                continue;
            }
            if let Some(list) = policy.list_mut(name) {
                *list = Some(vec![value]);
            }
        }
        policy
    }
}

/// What is said of REPORTDATA, if it is known what it must be.
pub(crate) fn reportdata(measured: &Measured, expected: Option<&ReportData>) -> Claim {
    const NAME: &str = "reportdata";
    match expected {
        None => Claim::unchecked(
            NAME,
            "nothing was expected of it, so the Quote may be an old one, or of another TD with the same measurements",
        ),
        Some(expected) if *expected == measured.reportdata => {
            Claim::holds(NAME, "it is the hash of the nonce and the data that were expected")
        }
        Some(expected) => {
            Claim::fails(NAME, format!("found {}, expected {expected}", measured.reportdata))
        }
    }
}

/// Where events differ from what is expected.
fn first_difference(found: &[&Event], expected: &[&ExpectedEvent]) -> Option<String> {
    let says = |event: &Event| format!("{} {}", event.event_type, event.description);
    let is = |found: &Event, expected: &ExpectedEvent| {
        found
            .digest
            .is_some_and(|digest| digest.to_string().eq_ignore_ascii_case(&expected.digest))
    };
    for (found, expected) in found.iter().zip(expected) {
        if !is(found, expected) {
            let digests = match says(found) == expected.says {
                true => ", of which the contents differ".to_owned(),
                false => String::new(),
            };
            return Some(format!(
                "event {} is {}, expected {}{digests}",
                found.number,
                says(found),
                expected.says
            ));
        }
    }
    match (found.get(expected.len()), expected.get(found.len())) {
        (Some(extra), _) => Some(format!(
            "event {} ({}) was not expected",
            extra.number,
            says(extra)
        )),
        (_, Some(missing)) => Some(format!("the log ends before {}", missing.says)),
        (None, None) => None,
    }
}

fn alternatives(values: &[String]) -> String {
    match values {
        [] => "no value at all, because the list is empty".into(),
        values => values.join(" or "),
    }
}
