// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx` and its library beside others that do the same: `dcap-qvl`, and cctrusted with `dcap-qvl` in Python.
//!
//! All have the same input: a Quote of a test platform with a real event log, [`Input`]. What they do is counted in
//! instructions by valgrind, which is the same in every run, whatever else the machine does; whole programs are also
//! compared in the time that the CPU spends on them. Figures are ratios.
//!
//! `cargo xtask bench agent` runs it.

mod count;
mod decode;
mod input;
mod program;
mod python;
mod replay;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use count::Counted;
use input::Input;

/// Compares tdx and its library with what else there is.
#[derive(Debug, Parser)]
struct Options {
    /// The command `tdx`
    #[arg(long, value_name = "FILE", required_unless_present = "side")]
    tdx: Option<PathBuf>,

    /// A Python that finds dcap-qvl and cctrusted-base
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    /// The event log; by default ccel-grub.bin, where the tests find their data
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// How often each program has its turn when time is measured
    #[arg(long, value_name = "N", default_value_t = 15)]
    rounds: u32,

    /// Only do this with a file, for counting
    #[arg(long, value_name = "SIDE", hide = true, requires_all = ["file", "times"])]
    side: Option<Side>,

    /// The file
    #[arg(long, value_name = "FILE", hide = true)]
    file: Option<PathBuf>,

    /// How often
    #[arg(long, value_name = "N", hide = true)]
    times: Option<u32>,
}

/// What is counted in this program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    /// `tdx-uapi` decodes the Quote.
    Decode,
    /// `dcap-qvl` does.
    DecodeDcapQvl,
    /// The library replays the log, as `tdx replay` does: each event is read, checked and described.
    Replay,
    /// Only the registers are replayed.
    ReplayRegisters,
    /// The extensions are hashed, and nothing else.
    ReplayBare,
}

impl Side {
    fn run(self, bytes: &[u8], times: u32) -> Result<()> {
        match self {
            Self::Decode => decode::ours(bytes, times),
            Self::DecodeDcapQvl => decode::dcap_qvl(bytes, times),
            Self::Replay => replay::explained(bytes, times),
            Self::ReplayRegisters => replay::registers(bytes, times),
            Self::ReplayBare => replay::bare(bytes, times),
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let (Some(side), Some(file), Some(times)) = (options.side, &options.file, options.times) {
        return side.run(&std::fs::read(file)?, times);
    }
    let log = options
        .log
        .clone()
        .unwrap_or_else(|| testdata::folder().join("ccel-grub.bin"));
    let input = Input::new(&log)?;
    let python = python::Python::find(&options.python)?;

    println!("instructions                                                 ours       theirs    theirs/ours");
    let decode = |side| Counted::of_side(side, &input.path(input::QUOTE));
    row(
        "decode a Quote, beside dcap-qvl",
        decode(Side::Decode)?,
        decode(Side::DecodeDcapQvl)?,
    );
    let replay = |side| Counted::of_side(side, &log);
    let (explained, registers) = (replay(Side::Replay)?, replay(Side::ReplayRegisters)?);
    let bare = replay(Side::ReplayBare)?;
    row(
        "replay of the registers, beside bare hashing",
        registers,
        bare,
    );
    if let Some(python) = &python {
        let theirs = python.replay(&log)?;
        row(
            "replay of the registers, beside cctrusted",
            registers,
            theirs,
        );
        row(
            "replay with each event explained, likewise",
            explained,
            theirs,
        );
    }
    if let Some(tdx) = &options.tdx {
        program::compare(tdx, python.as_ref(), &input, options.rounds)?;
    }
    Ok(())
}

/// A line of the table.
fn row(what: &str, ours: Counted, theirs: Counted) {
    let ratio = theirs.0 / ours.0;
    println!(
        "  {what:<50} {:>12.0} {:>12.0} {ratio:>10.2}",
        ours.0, theirs.0
    );
}
