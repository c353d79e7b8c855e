// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What was checked, one claim after another, and what came of it.

use crate::visible;
use serde::Serialize;
use std::fmt;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The claim holds.
    Holds,
    /// It does not.
    Fails,
    /// It could not be checked, because of an earlier one that fails, or nothing was expected of it.
    Unchecked,
}

/// Something that has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Claim {
    /// Its name, which does not change from version to version.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, and, if the claim fails, what was expected instead; one line of [`visible`] text.
    pub detail: String,
}

impl Claim {
    /// One that holds.
    pub fn holds(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Holds, &detail.into())
    }

    /// One that does not.
    pub fn fails(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Fails, &detail.into())
    }

    /// One that was not checked.
    pub fn unchecked(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Unchecked, &detail.into())
    }

    /// One that holds if `condition` does.
    pub fn of(name: &'static str, condition: bool, detail: impl Into<String>) -> Self {
        let outcome = if condition {
            Outcome::Holds
        } else {
            Outcome::Fails
        };
        Self::new(name, outcome, &detail.into())
    }

    fn new(name: &'static str, outcome: Outcome, detail: &str) -> Self {
        Self {
            name,
            outcome,
            detail: visible(detail),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            Outcome::Holds => "holds",
            Outcome::Fails => "FAILS",
            Outcome::Unchecked => "-",
        };
        write!(f, "{word:<6}{:<16}{}", self.name, self.detail)
    }
}
