// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is expected of a TD.

mod events;

pub use events::ExpectedEvent;

use crate::claim::Claim;
use crate::{Measured, ReportData};
use serde::{Deserialize, Serialize};
use tdx_uapi::Attributes;

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
    /// The events that extend the registers, in order. Where logs are at hand, the first one that differs is named; where
    /// there are none, only a value vouches for a register. A register that no event here is of is not looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ExpectedEvent>,
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
    /// An event is of a register that there is not.
    #[error("not a policy: an event is of RTMR{found}, and a TD has RTMR0 to RTMR3")]
    Register {
        /// The register's number.
        found: u8,
    },
    /// What is to be rejected is no advisory, so that it would never be.
    #[error("not a policy: {found:?} is no advisory, such as INTEL-SA-00837")]
    Advisory {
        /// What was found.
        found: String,
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

    /// Checks that all values are of the right form, those of events among them.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Value`], [`PolicyError::Register`], [`PolicyError::Advisory`] and [`PolicyError::Status`].
    pub fn check(&self) -> Result<(), PolicyError> {
        let events = self.td.events.iter().map(|event| &event.digest);
        let events = events.map(|digest| ("events.digest", 96, digest));
        let lists = self.td.lists().into_iter();
        let values = lists.flat_map(|(name, digits, values)| {
            let values = values.into_iter().flatten();
            values.map(move |value| (name, digits, value))
        });
        for (name, digits, found) in values.chain(events) {
            if found.len() != digits || !found.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(PolicyError::Value {
                    name,
                    found: found.clone(),
                    digits,
                });
            }
        }
        if let Some(event) = self.td.events.iter().find(|event| event.rtmr > 3) {
            return Err(PolicyError::Register { found: event.rtmr });
        }
        let mut advisories = self.tcb.reject_advisories.iter();
        if let Some(found) = advisories.find(|id| !is_advisory(id)) {
            return Err(PolicyError::Advisory {
                found: found.clone(),
            });
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

impl TcbPolicy {
    /// Whether a platform that this advisory applies to is rejected.
    #[cfg(feature = "verify")]
    pub(crate) fn rejects(&self, advisory: &str) -> bool {
        let mut rejected = self.reject_advisories.iter();
        rejected.any(|id| id.eq_ignore_ascii_case(advisory))
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

/// Whether that is how Intel numbers advisories: `INTEL-SA-` and five digits or more, in capitals or not. Test platforms have
/// another word in front.
fn is_advisory(id: &str) -> bool {
    let upper = id.to_ascii_uppercase();
    upper.split_once("-SA-").is_some_and(|(who, number)| {
        let digits = number.bytes().all(|digit| digit.is_ascii_digit());
        !who.is_empty() && number.len() >= 5 && digits
    })
}

fn alternatives(values: &[String]) -> String {
    match values {
        [] => "no value at all, because the list is empty".into(),
        values => values.join(" or "),
    }
}
