// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which lines of each parser its corpus reaches.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use anyhow::{bail, Context, Result};

use crate::artefacts::fuzz_target::{self, Instrumented};
use crate::artefacts::PROJECT;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::progress::{Progress, Step};
use crate::setup::Environment;

/// What a corpus reaches of a parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covered {
    /// The target.
    pub(crate) target: String,
    /// How many lines of code the parser has.
    pub(crate) lines: usize,
    /// Those that are never run, by file.
    pub(crate) missed: BTreeMap<String, Vec<u32>>,
    /// The files and folders of the parser that have none.
    pub(crate) absent: Vec<String>,
}

impl Covered {
    /// The share of lines that are run, in percent.
    pub(crate) fn percent(&self) -> f64 {
        let missed: usize = self.missed.values().map(Vec::len).sum();
        100.0 * (self.lines - missed) as f64 / self.lines.max(1) as f64
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<15} {:>5.1} % of {} lines",
            self.target,
            self.percent(),
            self.lines
        )?;
        for (file, lines) in &self.missed {
            let lines: Vec<_> = lines.iter().map(u32::to_string).collect();
            writeln!(f, "  not run: {file}: {}", lines.join(" "))?;
        }
        Ok(())
    }
}

/// Runs each target on the files of its corpus in the tree.
///
/// # Errors
/// When a target fails on one of them, or a file or folder of a parser is not in its program.
pub(crate) fn measure(
    environment: &Environment,
    targets: &BTreeMap<String, Vec<String>>,
    progress: &Progress,
) -> Result<Vec<Covered>> {
    let paths = &environment.paths;
    let built = fuzz_target::build(environment, Instrumented::ForCoverage, progress)?;
    let kept = paths.work().join("fuzz/coverage");
    discard(paths, &kept)?;
    fs::create_dir_all(&kept)?;
    let enclosure = environment
        .enclosure()
        .bind_read_only(paths.project(), PROJECT)
        .bind_read_only(built, "/built")
        .bind(kept, "/coverage");
    let mut step = progress.step("coverage of the corpora")?;
    let mut all = Vec::new();
    for (target, files) in targets {
        let report = run(environment, &enclosure, target, &mut step)?;
        let covered = covered(target, files, &report);
        if files.is_empty() || !covered.absent.is_empty() {
            let absent = covered.absent.join(", ");
            return Err(step.failure(&format!(
                "{target} has no code of [{absent}]: see its parser's files in fuzz/Cargo.toml"
            )));
        }
        all.push(covered);
    }
    step.done();
    Ok(all)
}

/// What llvm-cov says of all files that the target is made of.
fn run(
    environment: &Environment,
    enclosure: &Enclosure,
    target: &str,
    step: &mut Step,
) -> Result<String> {
    let corpus = environment.paths.project().join("fuzz/corpus").join(target);
    let mut program = enclosure.command(format!("/built/{target}"));
    program.env("LLVM_PROFILE_FILE", format!("/coverage/{target}.profraw"));
    let mut count = 0;
    for file in fs::read_dir(&corpus).with_context(|| format!("reading {}", corpus.display()))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        program.arg(format!("{PROJECT}/fuzz/corpus/{target}/{name}"));
        count += 1;
    }
    if count == 0 {
        bail!("the corpus {} is empty", corpus.display());
    }
    step.run(&mut program)?;
    let mut merge = enclosure.command("llvm-profdata");
    merge.args(["merge", "--sparse", "--output"]);
    merge.arg(format!("/coverage/{target}.profdata"));
    step.run(merge.arg(format!("/coverage/{target}.profraw")))?;
    let mut export = enclosure.command("llvm-cov");
    export.args(["export", "--format=lcov", "--skip-functions"]);
    export.arg(format!("--instr-profile=/coverage/{target}.profdata"));
    step.output(export.arg(format!("/built/{target}")))
}

/// Of a report in lcov's form, the lines of these files and folders.
fn covered(target: &str, parser: &[String], report: &str) -> Covered {
    let mut covered = Covered {
        target: target.into(),
        lines: 0,
        missed: BTreeMap::new(),
        absent: Vec::new(),
    };
    let mut file = None;
    let mut present = vec![false; parser.len()];
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let relative = path.strip_prefix(PROJECT).unwrap_or(path);
            let relative = relative.trim_start_matches('/');
            let belongs = |part: &String| {
                relative == part || part.ends_with('/') && relative.starts_with(part.as_str())
            };
            let part = parser.iter().position(belongs);
            file = part.map(|part| (part, relative.to_owned()));
        } else if let (Some((part, file)), Some(data)) = (&file, line.strip_prefix("DA:")) {
            let mut numbers = data.split(',').map(str::parse::<u64>);
            if let (Some(Ok(line)), Some(Ok(count))) = (numbers.next(), numbers.next()) {
                covered.lines += 1;
                present[*part] = true;
                if count == 0 {
                    covered
                        .missed
                        .entry(file.clone())
                        .or_default()
                        .push(line as u32);
                }
            }
        }
    }
    let absent = parser.iter().zip(present).filter(|(_, present)| !present);
    covered.absent = absent.map(|(part, _)| part.clone()).collect();
    covered
}

#[cfg(test)]
mod tests {
    use super::covered;

    #[test]
    fn counts_the_lines_of_the_parser_alone() {
        let report = "SF:/project/a/src/quote/body.rs\nDA:1,5\nDA:2,0\nend_of_record\n\
                      SF:/project/a/src/quote.rs\nDA:1,0\nend_of_record\n\
                      SF:/cargo/registry/a/src/quote/x.rs\nDA:9,0\nend_of_record\n";
        let parser = ["a/src/quote/", "a/src/gone.rs"].map(Into::into);
        let covered = covered("quote", &parser, report);
        assert_eq!(covered.absent, ["a/src/gone.rs"]);
        assert_eq!((covered.lines, covered.percent()), (2, 50.0));
        assert_eq!(
            covered.to_string(),
            "quote            50.0 % of 2 lines\n  not run: a/src/quote/body.rs: 2\n"
        );
    }
}
