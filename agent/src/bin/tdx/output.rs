// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where text and JSON go.

use crate::exit;
use anyhow::{Context as _, Result};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;
use tdx_agent::visible;

/// Text or JSON, as the command line says. Colour is for terminals only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

/// What is good, what is not, and what is neither.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const HEADING: Style = Style::new().bold();

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints either of both.
    pub(crate) fn print(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        let mut text = match self.json {
            true => serde_json::to_string_pretty(value).context("writing JSON")?,
            false => text(),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        write(text.as_bytes())
    }

    /// Writes bytes to a file, or with `-` to standard output, which must not be a terminal.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if path == Path::new("-") {
            anyhow::ensure!(
                !io::stdout().is_terminal(),
                "binary data is not written to a terminal; name a file"
            );
            let mut out = io::stdout().lock();
            return out
                .write_all(bytes)
                .and_then(|()| out.flush())
                .context("writing to standard output");
        }
        fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
    }

    /// Says something on standard error that is no failure.
    pub(crate) fn note(&self, text: &str) {
        let text = lines(text);
        complain(&match self.json {
            true => json!({ "note": text }).to_string(),
            false => format!("{HEADING}note:{HEADING:#} {text}"),
        });
    }

    /// Says on standard error what failed, and what may help.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let advice = exit::advice(error).map(|advice| lines(&advice));
        let message = lines(&exit::message(error));
        if self.json {
            let step = exit::known(error).map(|error| error.step().to_string());
            complain(&json!({ "error": message, "step": step, "advice": advice }).to_string());
            return;
        }
        complain(&format!("{BAD}error:{BAD:#} {message}"));
        if let Some(advice) = advice {
            complain(&format!("{HEADING}try:{HEADING:#} {advice}"));
        }
    }
}

/// Text in which nothing is invisible but line ends, which some errors have: what is wrong in a policy is shown in it.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Writes a line to standard error. If nobody reads that, nobody can be told.
fn complain(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Writes text to standard output, without colours where that is no terminal.
pub(crate) fn write(text: &[u8]) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        // Whoever reads has seen enough. The exit status says the rest.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("writing to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn text_of_others_has_lines_and_no_commands() {
        assert_eq!(lines("a\u{1b}[2K\r\nb"), "a\\u{1b}[2K\\u{d}\nb");
    }
}
