// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fuzz targets at work: some time, one input, or the minimising of a corpus.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{mpsc, Mutex};
use std::thread;

use anyhow::{bail, Context, Result};

use crate::artefacts::PROJECT;
use crate::disposal::discard;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::setup::Environment;

/// Where the targets and what they write are seen in the root.
const BUILT: &str = "/built";
const KEPT: &str = "/fuzz";

/// Has the shell say how much time a program took of the processors.
const TIMED: &str = "TIMEFORMAT='processor seconds: %U'; time \"$@\"";

/// Runs the targets of one build.
#[derive(Debug)]
pub(crate) struct Sessions<'a> {
    environment: &'a Environment,
    built: PathBuf,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The target.
    pub(crate) target: String,
    /// How much time it took of the processors.
    pub(crate) seconds: f64,
    /// How many inputs it was given.
    pub(crate) runs: u64,
    /// The files with inputs that it failed on, from the project's folder.
    pub(crate) findings: Vec<PathBuf>,
    /// What it printed.
    pub(crate) log: PathBuf,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            seconds,
            runs,
            findings,
            log,
        } = self;
        write!(
            f,
            "{target:<15} {seconds:>8.1} s of processor time, {runs:>10} runs, "
        )?;
        if findings.is_empty() {
            return f.write_str("no finding");
        }
        write!(f, "FINDINGS, see {}", log.display())?;
        for finding in findings {
            let file = finding.display();
            write!(f, "\n  once more: cargo xtask fuzz {target} --input {file}")?;
        }
        Ok(())
    }
}

/// What is kept of a target from one session to the next.
fn kept(paths: &Paths, kind: &str, target: &str) -> PathBuf {
    paths.work().join("fuzz").join(kind).join(target)
}

/// The corpus in the tree.
fn corpus(paths: &Paths, target: &str) -> PathBuf {
    paths.project().join("fuzz/corpus").join(target)
}

impl<'a> Sessions<'a> {
    /// Runs the targets in this folder.
    pub(crate) fn new(environment: &'a Environment, built: PathBuf) -> Self {
        Self { environment, built }
    }

    /// Runs each target for some seconds, as many at once as there are processors.
    ///
    /// # Errors
    /// When a target could not be run. A finding is no error.
    pub(crate) fn run(
        &self,
        targets: &[&str],
        seconds: u32,
        progress: &Progress,
    ) -> Result<Vec<Outcome>> {
        let at_once = thread::available_parallelism()?.get();
        let mut step = progress.step(&format!(
            "fuzzing, {} targets for {seconds} s each, {at_once} at a time",
            targets.len()
        ))?;
        let waiting = Mutex::new(targets.iter());
        let (done, outcomes) = mpsc::channel();
        let outcomes = thread::scope(|scope| {
            for _ in 0..at_once {
                let (waiting, done) = (&waiting, done.clone());
                scope.spawn(move || loop {
                    let next = waiting.lock().expect("no thread panics with it").next();
                    let Some(target) = next else { return };
                    if done.send(self.session(target, seconds)).is_err() {
                        return;
                    }
                });
            }
            drop(done);
            let mut seen = Vec::new();
            for outcome in outcomes {
                let outcome = outcome?;
                step.note(&format!("{}/{}: {outcome}", seen.len() + 1, targets.len()));
                seen.push(outcome);
            }
            Ok::<_, anyhow::Error>(seen)
        })?;
        step.done();
        Ok(outcomes)
    }

    fn session(&self, target: &str, seconds: u32) -> Result<Outcome> {
        let paths = &self.environment.paths;
        let log_path = paths.logs().join(format!("fuzz-{target}.log"));
        let findings = kept(paths, "findings", target);
        for folder in [&findings, &kept(paths, "corpus", target)] {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let mut command = self.command(target);
        command.arg(format!("-max_total_time={seconds}"));
        command.args([
            "-print_final_stats=1",
            "-timeout=60",
            "-report_slow_units=60",
            "-rss_limit_mb=2048",
        ]);
        command.arg(format!("-artifact_prefix={KEPT}/findings/{target}/"));
        command.arg(format!("{KEPT}/corpus/{target}"));
        command.arg(format!("{PROJECT}/fuzz/corpus/{target}"));
        let file = File::create(&log_path)
            .with_context(|| format!("making the log {}", log_path.display()))?;
        let status = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()
            .with_context(|| format!("starting {target}"))?;
        let log = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
        let found: Vec<_> = written(&log).map(|name| findings.join(name)).collect();
        if !status.success() && found.is_empty() {
            bail!(
                "{target} ended with {status} and left no input; see {}",
                log_path.display()
            );
        }
        let from_project = |file: PathBuf| match file.strip_prefix(paths.project()) {
            Ok(relative) => relative.to_owned(),
            Err(_) => file,
        };
        Ok(Outcome {
            target: target.into(),
            seconds: last_number(&log, "processor seconds: ").unwrap_or_default(),
            runs: runs(&log),
            findings: found.into_iter().map(from_project).collect(),
            log: from_project(log_path),
        })
    }

    /// Runs a target on one input, with its output on the terminal, and gives its status.
    pub(crate) fn once(&self, target: &str, input: &Path) -> Result<ExitCode> {
        let bytes = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
        let folder = kept(&self.environment.paths, "input", target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("input"), bytes)?;
        let mut command = self.command(target);
        command.arg(format!("-artifact_prefix={KEPT}/input/{target}/"));
        command.arg(format!("{KEPT}/input/{target}/input"));
        let status = command.env("RUST_BACKTRACE", "1").status()?;
        println!(
            "{target} {} on {}",
            if status.success() { "passes" } else { "FAILS" },
            input.display()
        );
        Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Makes the corpus in the tree one that reaches as much code as it and that of the sessions do together, with as few and
    /// as short inputs as libFuzzer finds. How often code is run does not count: that would keep several times as many.
    /// What was a finding once stays, whatever it reaches.
    ///
    /// # Errors
    /// When an input of either is a finding, which libFuzzer would leave out. The corpus is as it was then.
    pub(crate) fn minimise(&self, target: &str, progress: &Progress) -> Result<()> {
        let paths = &self.environment.paths;
        let mut step = progress.step(&format!("corpus of {target}"))?;
        let merged = kept(paths, "merged", target);
        discard(paths, &merged)?;
        fs::create_dir_all(&merged)?;
        for kind in ["corpus", "findings"] {
            fs::create_dir_all(kept(paths, kind, target))?;
        }
        let mut command = self.command(target);
        command.args(["-set_cover_merge=1", "-use_counters=0", "-max_len=4096"]);
        command.arg(format!("-artifact_prefix={KEPT}/findings/{target}/"));
        command.arg(format!("{KEPT}/merged/{target}"));
        command.arg(format!("{PROJECT}/fuzz/corpus/{target}"));
        command.arg(format!("{KEPT}/corpus/{target}"));
        let mut found = Vec::new();
        step.run_and_look(&mut command, |line| {
            found.extend(written(line).map(str::to_owned));
        })?;
        if !found.is_empty() {
            let found = found.join(", ");
            return Err(step.failure(&format!(
                "inputs of the corpus of {target} are findings: {found}. Nothing was changed; see `cargo xtask fuzz {target}`"
            )));
        }
        let corpus = corpus(paths, target);
        let (old, new) = (files(&corpus)?, files(&merged)?);
        if new.is_empty() {
            bail!("libFuzzer left nothing of the corpus of {target}");
        }
        for file in old.iter().filter(|file| !was_finding(file)) {
            fs::remove_file(file)?;
        }
        let mut bytes = 0;
        for file in &new {
            bytes += fs::copy(file, corpus.join(file.file_name().unwrap_or_default()))?;
        }
        step.done();
        println!(
            "{target:<15} {} inputs, {} of them before; {bytes} bytes",
            new.len(),
            old.len()
        );
        Ok(())
    }

    /// A target in the root, with what is kept of it; libFuzzer's arguments are to be added.
    fn command(&self, target: &str) -> Command {
        let paths = &self.environment.paths;
        let enclosure = self
            .environment
            .enclosure()
            .bind_read_only(paths.project(), PROJECT)
            .bind_read_only(&self.built, BUILT)
            .bind(paths.work().join("fuzz"), KEPT);
        let mut command = enclosure.command("bash");
        command.args(["-c", TIMED, "bash", &format!("{BUILT}/{target}")]);
        command
    }
}

/// The files in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Whether a file of a corpus is there because it was a finding.
fn was_finding(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b"finding-")
}

/// The names of the files in which libFuzzer left findings, new or found again: it names them by their contents.
fn written(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter_map(|line| {
        let (_, path) = line.split_once("Test unit written to ")?;
        path.trim().rsplit('/').next()
    })
}

/// How many inputs were tried, by the statistics at the end or, if a finding ended the session, by the last line about one.
fn runs(log: &str) -> u64 {
    last_number(log, "stat::number_of_executed_units: ")
        .or_else(|| last_number(log, "#"))
        .unwrap_or_default()
}

/// The number behind `name` in the last line that begins with both.
fn last_number<T: std::str::FromStr>(log: &str, name: &str) -> Option<T> {
    log.lines().rev().find_map(|line| {
        let value = line.strip_prefix(name)?.trim_start();
        value.split_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{last_number, runs, was_finding, written};
    use std::path::Path;

    #[test]
    fn reads_what_libfuzzer_prints() {
        let log = "#5\tINITED cov: 40\n#1024\tpulse  cov: 40\nDone 99 runs in 2 second(s)\n\
                   stat::number_of_executed_units: 99\nstat::peak_rss_mb:              29\n\
                   processor seconds: 1.204\n";
        assert_eq!(runs(log), 99);
        assert_eq!(last_number(log, "processor seconds: "), Some(1.204));
        assert_eq!(written(log).count(), 0);
        let log = "artifact_prefix='/fuzz/findings/quote/'; Test unit written to /fuzz/findings/quote/crash-ab12\nBase64: \n";
        assert_eq!(written(log).collect::<Vec<_>>(), ["crash-ab12"]);
        assert_eq!(
            runs("#5\tINITED\n#77\tNEW    cov: 1\n== ERROR: x\n#0 0x1 in main\n"),
            0
        );
    }

    #[test]
    fn knows_a_finding_by_its_name() {
        assert!(was_finding(Path::new("corpus/quote/finding-ab12")));
        assert!(!was_finding(Path::new("corpus/quote/ab12")));
    }
}
