// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx extend`

use crate::exit::Exit;
use crate::logs::LIMIT;
use crate::output::{Output, BAD};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tdx_agent::runtime_log::{NewEvent, RuntimeLog};
use tdx_agent::Td;
use tdx_call::RtmrIndex;
use tdx_firmware::{HashEngine as _, Hasher as _, Sha2};
use tdx_uapi::Digest;

/// Extend a register with a text or the hash of a file, and record it
///
/// That cannot be undone. Registers are extended with SHA-384 values: that of the text, or of the file's contents.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What to measure, as text
    #[arg(value_name = "TEXT", required_unless_present_any = ["file", "digest"])]
    text: Option<String>,

    /// Measure the contents of FILE; TEXT then names it [default: its path]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Extend with this SHA-384; TEXT then names what it is of
    #[arg(long, value_name = "HEX", conflicts_with = "file", requires = "text")]
    digest: Option<String>,

    /// The register: 3 is for programs, 2 is the boot's and the kernel's
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..4))]
    rtmr: u8,

    /// The log to record it in
    #[arg(long, value_name = "FILE", default_value = RuntimeLog::DEFAULT_PATH)]
    runtime_log: PathBuf,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let rtmr = if self.rtmr == 2 {
            RtmrIndex::Rtmr2
        } else {
            RtmrIndex::Rtmr3
        };
        let name = match (&self.text, &self.file) {
            (Some(text), _) => text.clone(),
            (None, Some(file)) => file.display().to_string(),
            (None, None) => String::new(),
        };
        let event = match (&self.file, &self.digest) {
            (Some(file), _) => NewEvent::named(rtmr, hash(file)?, &name),
            (None, Some(digest)) => NewEvent::named(rtmr, parse(digest)?, &name),
            (None, None) => NewEvent::text(rtmr, &name),
        };
        let td = Td::open()?;
        let recorded = RuntimeLog::new(&self.runtime_log)?.extend(&td, &event, LIMIT)?;
        let json = json!({
            "rtmr": self.rtmr,
            "digest": event.digest.to_string(),
            "value": recorded.value.to_string(),
            "gap": recorded.gap,
            "put_aside": recorded.put_aside,
        });
        output.print(&json, || {
            let mut text = format!("RTMR{} {}\n", self.rtmr, recorded.value);
            if let Some(path) = &recorded.put_aside {
                text.push_str(&format!(
                    "{} was the log of an earlier boot, and is {} now.\n",
                    self.runtime_log.display(),
                    path.display()
                ));
            }
            if recorded.gap {
                text.push_str(&format!(
                    "{BAD}Something has extended this register without logging it.{BAD:#} `tdx replay` says where.\n"
                ));
            }
            text
        })?;
        Ok(Exit::holds(!recorded.gap))
    }
}

fn parse(digest: &str) -> Result<Digest> {
    let bytes = hex::decode(digest).context("--digest")?;
    let found = bytes.len();
    let bytes = bytes.try_into();
    bytes
        .map(Digest)
        .map_err(|_| anyhow::anyhow!("--digest has {found} bytes, expected 48"))
}

fn hash(path: &Path) -> Result<Digest> {
    let reading = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hasher = Sha2.hasher();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match file.read(&mut bytes).with_context(reading)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&bytes[..length]),
        }
    }
}
