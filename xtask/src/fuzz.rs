// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/`, and says what their corpora reach.
//!
//! What libFuzzer adds to a corpus, and what it finds, is kept under `target/tdx/fuzz/`; the corpora in the tree stay as they
//! are until `--minimise` is asked for.

pub(crate) mod coverage;
pub(crate) mod page;
pub(crate) mod session;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Result};
use clap::Args;

use crate::artefacts::fuzz_target::{self, Instrumented};
use crate::progress::Progress;
use crate::setup;
use page::Page;
use session::Sessions;

/// What to fuzz.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Targets, as fuzz/Cargo.toml names them; all of them if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Add the time to the table in fuzz/README.md
    #[arg(long)]
    record: bool,

    /// Run one target once, on this file, such as a finding
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "coverage", "minimise"])]
    input: Option<PathBuf>,

    /// Say which lines of each parser the corpus in the tree reaches, instead of fuzzing
    #[arg(long, conflicts_with = "record")]
    coverage: bool,

    /// Take over into the tree what reaches something new, and drop what does not, instead of fuzzing
    #[arg(long, conflicts_with_all = ["record", "coverage"])]
    minimise: bool,
}

/// Does what is asked for. The status to exit with is failure if there was a finding.
///
/// # Errors
/// When a target could not be built or run.
pub(crate) fn fuzz(options: &Options, setup: &setup::Options) -> Result<ExitCode> {
    let environment = setup::environment(setup)?;
    let progress = Progress::new(&environment.paths, 1);
    let targets = chosen(fuzz_target::targets(&environment.paths)?, &options.targets)?;
    if options.coverage {
        for covered in coverage::measure(&environment, &targets, &progress)? {
            print!("{covered}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let built = fuzz_target::build(&environment, Instrumented::ForFuzzing, &progress)?;
    let sessions = Sessions::new(&environment, built);
    let names: Vec<_> = targets.keys().map(String::as_str).collect();
    if let Some(input) = &options.input {
        let [name] = names[..] else {
            bail!("--input takes exactly one target");
        };
        return sessions.once(name, input);
    }
    if options.minimise {
        for name in names {
            sessions.minimise(name, &progress)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let outcomes = sessions.run(&names, options.seconds, &progress)?;
    let mut findings = 0;
    for outcome in &outcomes {
        println!("{outcome}");
        findings += outcome.findings.len();
    }
    if options.record {
        let mut page = Page::read(&environment.paths)?;
        for outcome in outcomes
            .iter()
            .filter(|outcome| outcome.findings.is_empty())
        {
            page.add(outcome)?;
        }
        page.write()?;
    }
    Ok(if findings == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Of all targets those that are named.
fn chosen(
    mut all: BTreeMap<String, Vec<String>>,
    names: &[String],
) -> Result<BTreeMap<String, Vec<String>>> {
    let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
    for name in names {
        all.get(name)
            .with_context(|| format!("there is no target {name}; there are {known}"))?;
    }
    all.retain(|name, _| names.is_empty() || names.contains(name));
    ensure!(!all.is_empty(), "fuzz/Cargo.toml names no target");
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_name_chooses_that_target_alone() {
        let all = || {
            ["quote", "quote2"]
                .map(|name| (name.to_owned(), Vec::new()))
                .into()
        };
        assert_eq!(chosen(all(), &["quote".into()]).unwrap().len(), 1);
        assert_eq!(chosen(all(), &[]).unwrap().len(), 2);
        let error = chosen(all(), &["x".into()]).unwrap_err().to_string();
        assert_eq!(error, "there is no target x; there are quote, quote2");
    }
}
