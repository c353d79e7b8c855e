// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Claims for people to read.

use crate::output::{BAD, DIM, GOOD};
use std::fmt::Write as _;
use tdx_agent::{Claim, Outcome};

/// A line for each claim.
pub(crate) fn lines(claims: &[Claim]) -> String {
    let width = claims
        .iter()
        .map(|claim| claim.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for claim in claims {
        let (style, word) = match claim.outcome {
            Outcome::Holds => (GOOD, "holds"),
            Outcome::Fails => (BAD, "FAILS"),
            Outcome::Unchecked => (DIM, "-    "),
        };
        let line = format!(
            "{style}{word}{style:#}  {:width$}  {}",
            claim.name, claim.detail
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
