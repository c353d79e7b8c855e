// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One step: the commands that it runs, their output in its log.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::failure::Failure;
use super::share::Share;

/// A step that is under way.
#[derive(Debug)]
pub(crate) struct Step {
    pub(super) label: String,
    pub(super) log: File,
    pub(super) log_path: PathBuf,
    pub(super) bar: ProgressBar,
    pub(super) started: Instant,
    pub(super) share: Option<Share>,
}

impl Step {
    /// Runs a command, both its outputs in the log.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be started or does not succeed.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let status = self.status(command)?;
        self.expect_success(command, status)
    }

    /// As [`Step::run`], for a command that takes long and prints about so many lines, which tell how far it is.
    pub(crate) fn run_long(&mut self, command: &mut Command, lines: usize) -> Result<()> {
        self.share = Some(Share::new(lines));
        let result = self.run(command);
        self.share = None;
        result
    }

    /// As [`Step::run`], and hands each line that the command prints to `look`. The log may have lines of another xtask.
    pub(crate) fn run_and_look(
        &mut self,
        command: &mut Command,
        mut look: impl FnMut(&str),
    ) -> Result<()> {
        let status = self.watch(command, &mut look)?;
        self.expect_success(command, status)
    }

    /// As [`Step::run`], for a command that may fail.
    pub(crate) fn status(&mut self, command: &mut Command) -> Result<ExitStatus> {
        self.watch(command, &mut |_| ())
    }

    fn watch(&mut self, command: &mut Command, look: &mut dyn FnMut(&str)) -> Result<ExitStatus> {
        self.begin(command);
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn();
        // The command holds the pipe's other end until it is given something else.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.with_context(|| format!("starting {}", shown(command)))?;

        self.copy(File::from(reader), look)?;
        Ok(child.wait()?)
    }

    /// Runs a command for what it prints; the log has it too.
    pub(crate) fn output(&mut self, command: &mut Command) -> Result<String> {
        let mut output = String::new();
        self.read(command, |reader| {
            Ok(reader.read_to_string(&mut output).map(drop)?)
        })?;
        self.write(output.as_bytes());
        Ok(output)
    }

    /// Runs a command whose standard output goes to `reader`, and only its standard error to the log.
    pub(crate) fn read<T>(
        &mut self,
        command: &mut Command,
        reader: impl FnOnce(&mut dyn BufRead) -> Result<T>,
    ) -> Result<T> {
        self.begin(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", shown(command)))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            unreachable!("both are piped");
        };
        let (result, copied) = thread::scope(|scope| {
            let copying = scope.spawn(|| self.copy(stderr, &mut |_| ()));
            let result = reader(&mut BufReader::new(stdout));
            (result, copying.join())
        });
        copied.unwrap_or_else(|panic| resume_unwind(panic))?;
        let status = child.wait()?;
        self.expect_success(command, status)?;
        result
    }

    /// Writes a sentence to the log, and to the terminal while the step lasts.
    pub(crate) fn note(&mut self, sentence: &str) {
        self.write(format!("{sentence}\n").as_bytes());
        self.show(sentence);
    }

    /// Writes what a program has written to the log.
    pub(crate) fn record(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// Tells the user something that stays on the screen.
    pub(crate) fn warn(&mut self, sentence: &str) {
        self.write(format!("{sentence}\n").as_bytes());
        self.bar.suspend(|| eprintln!("{}: {sentence}", self.label));
    }

    /// The step's failure because of `what`, with the end of its log and, where that tells the cause, advice.
    pub(crate) fn failure(&self, what: &str) -> anyhow::Error {
        self.bar.finish_and_clear();
        Failure::new(&self.label, what, &self.log_path).into()
    }

    /// Ends the step.
    pub(crate) fn done(self) {
        self.bar.finish_and_clear();
        eprintln!(
            "{}: {:.1} s",
            self.label,
            self.started.elapsed().as_secs_f64()
        );
    }

    /// Copies a command's output to the log, shows its last line, and hands each to `look`.
    fn copy(&mut self, output: impl Read, look: &mut dyn FnMut(&str)) -> Result<()> {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.by_ref().take(1 << 16).read_until(b'\n', &mut line)? != 0 {
            self.write(&line);
            let text = String::from_utf8_lossy(&line);
            look(text.trim_end());
            match &mut self.share {
                Some(share) => {
                    let percent = share.count();
                    if let (Some(tenths), true) = (share.news(), self.bar.is_hidden()) {
                        eprintln!("{}: {tenths} %", self.label);
                    }
                    self.show(&format!("{percent} % {}", text.trim_start()));
                }
                None => self.show(&text),
            }
            line.clear();
        }
        Ok(())
    }

    fn expect_success(&mut self, command: &Command, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        Err(self.failure(&format!(
            "`{}` ended with {status}",
            shortened(&shown(command))
        )))
    }

    /// Every command begins here: its line goes to the log, and it is told that a log is no terminal with colours.
    fn begin(&mut self, command: &mut Command) {
        command.env("TERM", "dumb").stdin(Stdio::null());
        let line = format!("$ {}\n", shown(command));
        self.write(line.as_bytes());
    }

    /// A log that cannot be written, on a full disk perhaps, must not hide how the step itself ends.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.log.write_all(bytes);
    }

    fn show(&self, line: &str) {
        // Of a line that draws over itself, the last state.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        if !line.is_empty() {
            self.bar.set_message(line.replace(char::is_control, " "));
        }
    }
}

/// A command as a person would type it, without the `xtask enter …` in front.
fn shown(command: &Command) -> String {
    let mut words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    match words.iter().position(|word| word == "--") {
        Some(end) if words.first().is_some_and(|word| word == "enter") => drop(words.drain(..=end)),
        _ => words.insert(0, command.get_program().to_string_lossy()),
    }
    words.join(" ")
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= 160 {
        return command.into();
    }
    command.chars().take(159).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enclosure::Enclosure;

    #[test]
    fn a_command_is_shown_without_its_enclosure() {
        let mut command = Enclosure::root("/r").bind("/a", "/b").command("make");
        command.args(["-C", "/x", "--", "all"]);
        assert_eq!(shown(&command), "make -C /x -- all");
        let mut command = Command::new("cargo");
        command.args(["run", "--", "x"]);
        assert_eq!(shown(&command), "cargo run -- x");
    }
}
