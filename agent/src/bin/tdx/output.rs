// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where text and JSON go.

use crate::exit;
use anstream::eprintln;
use anyhow::{Context as _, Result};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use serde_json::json;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;
use std::{fs, process};
use tdx_agent::Error;

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
        if self.json {
            eprintln!("{}", json!({ "note": text }));
        } else {
            eprintln!("{HEADING}note:{HEADING:#} {text}");
        }
    }

    /// Says on standard error what failed, and what may help.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let known = exit::known(error);
        let advice = known.and_then(Error::advice);
        // The sources of ours are in their texts already.
        let message = match known {
            Some(known) => known.to_string(),
            None => format!("{error:#}"),
        };
        if self.json {
            let step = known.map(|error| error.step().to_string());
            eprintln!(
                "{}",
                json!({ "error": message, "step": step, "advice": advice })
            );
            return;
        }
        eprintln!("{BAD}error:{BAD:#} {message}");
        if let Some(advice) = advice {
            eprintln!("{HEADING}try:{HEADING:#} {advice}");
        }
    }
}

/// Writes text to standard output, without colours where that is no terminal.
fn write(text: &[u8]) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        result => result.context("writing to standard output"),
    }
}
