// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of the parsers by fuzzing.

use anyhow::{bail, ensure, Result};

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::fuzz_target::{self, Instrumented};
use crate::fuzz::coverage;
use crate::fuzz::page::Page;
use crate::fuzz::session::Sessions;

/// How long each target runs.
const SECONDS: u32 = 60;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "fuzz",
        about: "a minute of each fuzz target finds nothing",
        tier: Tier::All,
        run: fuzz,
    },
    Check {
        name: "fuzz-coverage",
        about: "the corpora reach as many lines of the parsers as fuzz/README.md says",
        tier: Tier::All,
        run: lines,
    },
];

fn fuzz(context: &Context<'_>) -> Result<Verdict> {
    let environment = context.environment;
    let targets = fuzz_target::targets(&environment.paths)?;
    let built = fuzz_target::build(environment, Instrumented::ForFuzzing, &context.progress)?;
    let names: Vec<_> = targets.keys().map(String::as_str).collect();
    let outcomes = Sessions::new(environment, built).run(&names, SECONDS, &context.progress)?;
    let found = outcomes
        .iter()
        .filter(|outcome| !outcome.findings.is_empty());
    let found: Vec<_> = found.map(ToString::to_string).collect();
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    let runs: u64 = outcomes.iter().map(|outcome| outcome.runs).sum();
    Ok(Verdict::Passed(format!(
        "{} targets, {runs} runs",
        outcomes.len()
    )))
}

fn lines(context: &Context<'_>) -> Result<Verdict> {
    let environment = context.environment;
    let targets = fuzz_target::targets(&environment.paths)?;
    let page = Page::read(&environment.paths)?;
    let mut seen = Vec::new();
    for covered in coverage::measure(environment, &targets, &context.progress)? {
        let promised = page.row(&covered.target)?.percent;
        // The page has one decimal.
        ensure!(
            covered.percent() + 0.05 >= promised,
            "fuzz/README.md says {promised} %, but it is:\n{covered}"
        );
        seen.push(format!("{} {:.1} %", covered.target, covered.percent()));
    }
    Ok(Verdict::Passed(seen.join(", ")))
}
