// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx-firmware` beside bare hashing, other engines and cctrusted, by turns in one run.
//!
//! What is compared is done by turns, many times, and the least time of each counts: that is when nothing else was in the
//! way. Figures are ratios.

mod count;
mod engines;
mod log;
mod python;
mod turns;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Compares tdx-firmware with what else there is.
#[derive(Debug, Parser)]
struct Options {
    /// The event log to replay; by default ccel-grub.bin, where the tests find their data
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// How many MiB are hashed at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    mib: usize,

    /// How often each side has its turn
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: u32,

    /// A Python that has cctrusted-base, to replay beside it
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,

    /// Only do this with the log, for counting
    #[arg(long, value_name = "SIDE", hide = true)]
    side: Option<log::Side>,

    /// How often
    #[arg(long, value_name = "N", hide = true, default_value_t = 1)]
    times: usize,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let path = options.log.clone().unwrap_or_else(default_log);
    let log = std::fs::read(&path).with_context(|| {
        format!(
            "reading the event log {}; TDX_TESTDATA names another folder to look in",
            path.display()
        )
    })?;
    let parsed = log::Log::new(&log)?;
    if let Some(side) = options.side {
        parsed.run(side, options.times);
        return Ok(());
    }
    count::compare(&path)?;
    // A log is short: many turns find some that nothing disturbed.
    parsed.compare(options.rounds * 50);
    match &options.python {
        Some(python) => python::compare(python, &path, &log, options.rounds)?,
        None => println!("replay, cctrusted: skipped; there is no Python with cctrusted-base"),
    }
    engines::compare(options.mib, options.rounds)
}

/// Where the tests find it, too.
fn default_log() -> PathBuf {
    let folder = std::env::var_os("TDX_TESTDATA").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/testdata"
            ))
        },
        PathBuf::from,
    );
    folder.join("ccel-grub.bin")
}
