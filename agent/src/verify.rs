// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether a Quote is to be believed.
//!
//! What is checked, in this order, each as a [`Claim`] under its name:
//!
//! | claim | holds if |
//! | --- | --- |
//! | `quote` | the bytes are a Quote of version 4 or 5 for a TD, and nothing else |
//! | `collateral` | TCB info, QE identity and CRLs are signed below the root, for this kind of platform, and are valid at the time |
//! | `certificates` | the platform's certificates lead to the root, and none is expired or revoked |
//! | `quoting-enclave` | the platform vouches for the enclave that signed, and it is one of the QE identity |
//! | `signature` | the enclave's key signed what the Quote says |
//! | `tcb` | the platform's TCB has a status that the policy accepts |
//! | `safe-attributes` | ATTRIBUTES has nothing that makes a TD untrustworthy, whatever the policy says |
//! | `reportdata` | REPORTDATA is what was expected |
//! | `debug`, `service-td`, `mrtd`, … | what the [`Policy`] says of the TD |
//! | `replay-rtmr0`, …, `event-log` | the logs, if there are some, lead to the registers, and say of each event what was measured |
//! | `events-rtmr0`, … | what the [`Policy`] says of the events that led there |
//!
//! Signatures and certificates are checked by the crate `dcap-qvl`. It accepts several spellings of the same certificates;
//! here a Quote has one only, so that no byte of it can be changed unnoticed.

mod chain;
mod collateral;
mod reason;
mod root;

pub use crate::claim::{Claim, Outcome};
pub use collateral::{Collateral, CollateralError};
pub use root::{RootError, TrustedRoot};

use crate::policy::{self, Policy};
use crate::replay::Replay;
use crate::{Measured, ReportData};
use dcap_qvl::verify::VerifiedReport;
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tdx_uapi::quote::Quote;

/// Verifies Quotes of platforms below a root certificate.
#[derive(Clone, Debug)]
pub struct Verifier {
    root: TrustedRoot,
}

/// What is expected of a Quote.
#[derive(Clone, Debug, Default)]
pub struct Expectations<'a> {
    /// What the policy says.
    pub policy: Policy,
    /// What REPORTDATA must be.
    pub reportdata: Option<ReportData>,
    /// What the logs say that came with the Quote ([`Evidence::logs`](crate::Evidence::logs)), if some did. Without them,
    /// expected events fail unless the policy has a value of their register: see [`Policy::event_claims`].
    pub logs: Option<&'a Replay>,
}

/// What came of verifying a Quote.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// What was checked, in order.
    pub claims: Vec<Claim>,
    /// What the platform's TCB is, if the Quote is genuine.
    pub tcb: Option<Tcb>,
    /// What the Quote says, if it is genuine.
    pub td: Option<Measured>,
}

/// The state of a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tcb {
    /// Its status, under the name that Intel gives it.
    pub status: String,
    /// The security advisories that apply.
    pub advisories: Vec<String>,
}

/// What is checked of signatures, in the order in which it is.
const GENUINE: [&str; 7] = [
    "quote",
    "collateral",
    "certificates",
    "quoting-enclave",
    "signature",
    "tcb",
    "safe-attributes",
];

/// A claim that fails, and those before it that hold.
type Failed = (Claim, &'static [&'static str]);

impl Verifier {
    /// A verifier that trusts that root certificate and no other.
    pub const fn new(root: TrustedRoot) -> Self {
        Self { root }
    }

    /// Verifies a Quote as of `now`.
    pub fn verify(
        &self,
        quote: &[u8],
        collateral: &Collateral,
        expected: &Expectations<'_>,
        now: SystemTime,
    ) -> Verdict {
        let (parsed, report) = match self.genuine(quote, collateral, now) {
            Ok(genuine) => genuine,
            Err((failed, holds)) => return Verdict::refused(failed, holds),
        };
        let measured = Measured::from(&parsed);
        let mut claims: Vec<_> = GENUINE[..5]
            .iter()
            .zip([
                format!("version {}, {} bytes", parsed.header.version, quote.len()),
                format!(
                    "TCB info and QE identity are valid until {}",
                    collateral.next_update().unwrap_or_default()
                ),
                format!("below {}", self.root),
                "the platform vouches for it".into(),
                "by the attestation key".into(),
            ])
            .map(|(name, detail)| Claim::holds(name, detail))
            .collect();
        let tcb = Tcb {
            status: report.status,
            advisories: report.advisory_ids,
        };
        claims.push(tcb_claim(&tcb, &expected.policy.tcb));
        claims.push(Claim::holds(
            "safe-attributes",
            measured.attributes.to_string(),
        ));
        claims.push(policy::reportdata(&measured, expected.reportdata.as_ref()));
        claims.extend(expected.policy.claims(&measured));
        if let Some(logs) = expected.logs {
            claims.extend(logs.claims(&measured.rtmr));
        }
        claims.extend(expected.policy.event_claims(expected.logs, &measured));
        Verdict {
            claims,
            tcb: Some(tcb),
            td: Some(measured),
        }
    }

    /// The verdict on a Quote that no collateral makes genuine, so that none need be fetched for it.
    pub fn without_collateral(&self, quote: &[u8]) -> Option<Verdict> {
        let (failed, holds) = self.parsed(quote).err()?;
        Some(Verdict::refused(failed, holds))
    }

    /// What a Quote says, if it is one and its certificates are written as they must be and end with the root.
    fn parsed<'a>(&self, quote: &'a [u8]) -> Result<Quote<'a>, Failed> {
        let fails = |why: String| (Claim::fails("quote", why), &GENUINE[..0]);
        let parsed = Quote::parse(quote).map_err(|error| fails(error.to_string()))?;
        if parsed.rest.iter().any(|byte| *byte != 0) {
            return Err(fails("something other than zeros follows the Quote".into()));
        }
        // The collateral has not been looked at then.
        chain::check(&parsed, &self.root).map_err(|failed| (failed, &GENUINE[..1]))?;
        Ok(parsed)
    }

    /// What a Quote says, if a platform below the root said so.
    fn genuine<'a>(
        &self,
        quote: &'a [u8],
        collateral: &Collateral,
        now: SystemTime,
    ) -> Result<(Quote<'a>, VerifiedReport), Failed> {
        let parsed = self.parsed(quote)?;
        let seconds = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        // What the policy decides on is allowed here.
        let verifier = self
            .root
            .verifier()
            .allow_debug(true)
            .allow_service_td(true);
        match verifier.verify(quote, collateral.inner(), seconds) {
            Ok(report) => Ok((parsed, report)),
            Err(error) => {
                let failed = reason::claim(&error, &verifier, &parsed, quote, collateral, seconds);
                // It checks in this order.
                let before = GENUINE.iter().position(|name| *name == failed.name);
                Err((failed, &GENUINE[..before.unwrap_or(0)]))
            }
        }
    }
}

fn tcb_claim(tcb: &Tcb, policy: &policy::TcbPolicy) -> Claim {
    let Tcb { status, advisories } = tcb;
    let listed = match advisories.as_slice() {
        [] => status.clone(),
        list => format!("{status}, with {}", list.join(", ")),
    };
    if !policy.accept.contains(status) {
        let accepted = policy.accept.join(" or ");
        return Claim::fails(
            "tcb",
            format!("the platform is {listed}; accepted is {accepted}"),
        );
    }
    match advisories.iter().find(|id| policy.rejects(id)) {
        Some(id) => Claim::fails(
            "tcb",
            format!("{id} applies, which the policy rejects ({listed})"),
        ),
        None => Claim::holds("tcb", listed),
    }
}

impl Verdict {
    /// The verdict on what is not genuine, because of one claim that fails. Before that one, those in `holds` were checked.
    fn refused(failed: Claim, holds: &[&str]) -> Self {
        let why = format!("{} fails", failed.name);
        let claims = GENUINE.iter().map(|name| match *name {
            name if name == failed.name => failed.clone(),
            name if holds.contains(&name) => Claim::holds(name, ""),
            name => Claim::unchecked(name, why.clone()),
        });
        Self {
            claims: claims.collect(),
            tcb: None,
            td: None,
        }
    }

    /// The verdict on a Quote whose certificates do not say which platform it is of.
    pub fn no_platform(why: impl ToString) -> Self {
        Self::refused(Claim::fails("certificates", why.to_string()), &GENUINE[..1])
    }

    /// Whether every claim holds that was checked, and the Quote is genuine.
    pub fn holds(&self) -> bool {
        self.td.is_some() && self.failed().next().is_none()
    }

    /// The claims that fail.
    pub fn failed(&self) -> impl Iterator<Item = &Claim> {
        self.claims
            .iter()
            .filter(|claim| claim.outcome == Outcome::Fails)
    }
}
