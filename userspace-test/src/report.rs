// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx-userspace-test report`: a TDREPORT for people to read.

use crate::device::{random_reportdata, Device, NODE};
use anyhow::{ensure, Context, Result};
use clap::Args;
use sha2::{Digest, Sha384};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use tdx_uapi::{Hex, TdReport};

/// The command line of `report`.
#[derive(Args)]
pub(crate) struct Options {
    /// The device node to ask
    #[arg(long, value_name = "NODE", default_value = NODE)]
    device: String,

    /// Write the 1024 bytes of the TDREPORT to FILE, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// SHA-384, in the form that the parser takes it in.
pub(crate) fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// Gets a report with fresh REPORTDATA, prints it, and fails if it is not what was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let reportdata = random_reportdata()?;
    let bytes = Device::open(&options.device)?
        .get_report(&reportdata)
        .with_context(|| format!("{} refuses GET_REPORT", options.device))?;
    if let Some(path) = &options.out {
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }

    let report = TdReport::parse(&bytes)?;
    print!("{report}");
    ensure!(
        report.mac.reportdata == reportdata,
        "the report is for other REPORTDATA than was asked for: {}",
        Hex(&reportdata)
    );
    report.check_hashes(sha384)?;
    println!("REPORTDATA is as asked, hashes hold");
    Ok(ExitCode::SUCCESS)
}
