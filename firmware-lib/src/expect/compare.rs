// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a log differs from what was expected.
//!
//! The order of events of different registers does not matter, so each register is compared for itself.

use super::{Boot, ExpectError, ExpectedEvent, What};
use crate::event_log::{Event, EventLog, Events};
use crate::HashEngine;
use core::fmt;
use tdx_call::RtmrIndex;

/// A difference between the log and what was expected.
#[derive(Clone, Copy, Debug)]
pub enum Difference<'e, 'l> {
    /// Something else was measured than was expected.
    Changed {
        /// What was expected.
        expected: ExpectedEvent<'e>,
        /// What is in the log.
        found: Event<'l>,
    },
    /// Something was expected and is not in the log.
    Missing(ExpectedEvent<'e>),
    /// Something is in the log and was not expected.
    Unexpected(Event<'l>),
}

impl fmt::Display for Difference<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { expected, found } => {
                write!(f, "changed: expected {expected}, found {found}")
            }
            Self::Missing(expected) => write!(f, "missing: expected {expected}"),
            Self::Unexpected(found) => write!(f, "unexpected: found {found}"),
        }
    }
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many events are as expected.
    pub equal: usize,
    /// How many events were taken as they are, because nothing was known of them.
    pub unknown: usize,
    /// How many differences there are.
    pub differences: usize,
}

/// A register's events that were not compared yet.
#[derive(Clone)]
struct Rest<'l> {
    events: Events<'l>,
    rtmr: RtmrIndex,
}

impl<'l> Iterator for Rest<'l> {
    type Item = Event<'l>;

    fn next(&mut self) -> Option<Event<'l>> {
        let rtmr = self.rtmr;
        // An event that cannot be read is the log's last.
        self.events
            .by_ref()
            .map_while(Result::ok)
            .find(|event| event.rtmr() == Some(rtmr))
    }
}

impl Boot<'_> {
    /// Compares a log with what is expected, and tells the differences.
    ///
    /// All four registers are compared. Nothing is expected in RTMR3: what the operating system adds to RTMR2 and RTMR3 is
    /// not in this log. The log counts up to the first event that cannot be read; what is expected behind it is missing.
    /// Whether the log is that of a TD is another question: see [`EventLog::replay`].
    ///
    /// # Errors
    ///
    /// As of [`Boot::events`].
    pub fn compare<'s, 'l>(
        &'s self,
        engine: &impl HashEngine,
        log: &EventLog<'l>,
        mut tell: impl FnMut(Difference<'s, 'l>),
    ) -> Result<Summary, ExpectError> {
        let mut rests = RtmrIndex::ALL.map(|rtmr| Rest {
            events: log.events(),
            rtmr,
        });
        let mut summary = Summary::default();
        self.events(engine, |expected| {
            let rest = &mut rests[expected.rtmr as usize];
            step(expected, rest, &mut summary, &mut tell);
        })?;
        for found in rests.iter_mut().flatten() {
            summary.differences += 1;
            tell(Difference::Unexpected(found));
        }
        Ok(summary)
    }
}

/// Finds what was `expected` among the rest of its register's events.
fn step<'e, 'l>(
    expected: ExpectedEvent<'e>,
    rest: &mut Rest<'l>,
    summary: &mut Summary,
    tell: &mut impl FnMut(Difference<'e, 'l>),
) {
    let same_type = |event: &Event<'_>| event.event_type == expected.event_type;
    let Some(digest) = expected.digest else {
        // Any number of events of the type, or one of it.
        let many = matches!(
            expected.what,
            What::FwCfgFiles | What::AcpiData | What::BootVariables
        );
        while rest.clone().next().as_ref().is_some_and(same_type) {
            rest.next();
            summary.unknown += 1;
            if !many {
                return;
            }
        }
        if !many {
            summary.differences += 1;
            tell(Difference::Missing(expected));
        }
        return;
    };
    let equal = |event: &Event<'_>| same_type(event) && event.digest() == Some(&digest);
    let mut ahead = rest.clone();
    let next = ahead.next();
    match next {
        Some(found) if equal(&found) => {
            rest.next();
            summary.equal += 1;
        }
        // It comes later: what is before it was not expected.
        Some(_) if ahead.any(|event| equal(&event)) => {
            for found in rest.by_ref().take_while(|event| !equal(event)) {
                summary.differences += 1;
                tell(Difference::Unexpected(found));
            }
            summary.equal += 1;
        }
        Some(found) if same_type(&found) => {
            rest.next();
            summary.differences += 1;
            tell(Difference::Changed { expected, found });
        }
        _ => {
            summary.differences += 1;
            tell(Difference::Missing(expected));
        }
    }
}
