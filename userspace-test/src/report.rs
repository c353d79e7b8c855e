// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx-userspace-test report`: a TDREPORT for people to read.

use crate::device::{random_reportdata, Device, ReportData, NODE};
use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use sha2::{Digest, Sha384};
use std::io::{stderr, stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, str};
use tdx_uapi::{Hex, TdReport};

/// The command line of `report`.
#[derive(Args)]
pub(crate) struct Options {
    /// The device node to ask
    #[arg(long, value_name = "NODE", default_value = NODE)]
    device: String,

    /// What goes into the report, 128 hexadecimal digits [default: random]
    #[arg(long, value_name = "HEX", value_parser = reportdata)]
    reportdata: Option<ReportData>,

    /// Write the 1024 bytes of the TDREPORT to FILE, too; with `-` to standard output, and all else to standard error
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn reportdata(digits: &str) -> Result<ReportData> {
    let mut bytes = [0; 64];
    ensure!(
        digits.len() == 2 * bytes.len(),
        "expected 128 digits, found {}",
        digits.len()
    );
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        // A sign would be no digit, although `from_str_radix` takes it.
        *byte = match str::from_utf8(pair) {
            Ok(pair) if !pair.contains('+') => u8::from_str_radix(pair, 16)?,
            _ => bail!("not hexadecimal"),
        };
    }
    Ok(bytes)
}

/// SHA-384, in the form that the parser takes it in.
pub(crate) fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// Gets a report, prints it, and fails if it is not what was asked for.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let reportdata = options.reportdata.map_or_else(random_reportdata, Ok)?;
    let bytes = Device::open(&options.device)?
        .get_report(&reportdata)
        .with_context(|| format!("{} refuses GET_REPORT", options.device))?;

    let mut text: Box<dyn Write> = Box::new(stdout());
    match &options.out {
        Some(path) if path == Path::new("-") => {
            text = Box::new(stderr());
            stdout().write_all(&bytes)?;
        }
        Some(path) => {
            fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {}
    }

    let report = TdReport::parse(&bytes)?;
    write!(text, "{report}")?;
    ensure!(
        report.mac.reportdata == reportdata,
        "the report is for other REPORTDATA than was asked for: {}",
        Hex(&reportdata)
    );
    report.check_hashes(sha384)?;
    writeln!(text, "REPORTDATA is as asked, hashes hold")?;
    text.flush()?;
    stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}
