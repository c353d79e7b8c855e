// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Verifies a Quote with the crate `dcap-qvl`, against a folder that `tdx-quoting platform` has written.
//!
//! ```text
//! cargo run -p tdx-quoting --example verify -- --platform platform/ quote.bin
//! ```
//!
//! Prints what the verifier read from an accepted Quote, and fails with the reason otherwise, which an outdated TCB is,
//! too.

mod changed;

use anyhow::{anyhow, ensure, Context, Result};
use clap::Parser;
use dcap_qvl::verify::{QuoteVerifier, VerifiedReport};
use dcap_qvl::QuoteCollateralV3;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tdx_quoting::quote::Quote;

/// Verifies a Quote of the software TDX module's platform.
#[derive(Parser)]
struct Options {
    /// The Quote.
    quote: PathBuf,
    /// The folder with the collateral and, unless there is --root, the root certificate.
    #[arg(long, value_name = "DIR")]
    platform: PathBuf,
    /// The root certificate to trust, in DER.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// What the Quote must carry: 128 hexadecimal digits.
    #[arg(long, value_name = "DIGITS", value_parser = reportdata)]
    reportdata: Option<[u8; 64]>,
    /// Also verify the Quote with each of its bytes changed, one at a time, and fail where a change that matters is
    /// accepted.
    #[arg(long)]
    every_byte: bool,
}

fn reportdata(digits: &str) -> Result<[u8; 64], String> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|_| format!("expected 128 hexadecimal digits, found {}", digits.len()))?;
    Ok(bytes)
}

fn main() -> Result<()> {
    let options = Options::parse();
    let quote = read(&options.quote)?;
    let root = match &options.root {
        Some(path) => read(path)?,
        None => read(&options.platform.join("root.der"))?,
    };
    let collateral: QuoteCollateralV3 =
        serde_json::from_slice(&read(&options.platform.join("collateral.json"))?)
            .context("collateral.json is no collateral")?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs();
    let verifier = QuoteVerifier::new(root);
    let verify = |quote: &[u8]| verifier.verify(quote, &collateral, now);

    let verified = verify(&quote).map_err(|error| anyhow!("refused: {error:#}"))?;
    ensure!(
        verified.status == "UpToDate",
        "the TCB is {} ({})",
        verified.status,
        verified.advisory_ids.join(", ")
    );
    let carried = carried(&verified)?;
    if let Some(wanted) = options.reportdata {
        ensure!(
            carried == wanted,
            "the Quote carries other REPORTDATA: {}",
            hex::encode(carried)
        );
    }
    println!(
        "version {}, {}, REPORTDATA {}",
        Quote::parse(&quote)?.header.version,
        verified.status,
        hex::encode(carried)
    );
    if options.every_byte {
        let tally =
            changed::every_byte(&quote, &verified, verify).map_err(|error| anyhow!(error))?;
        println!(
            "{} of {} changes refused, and all of the {} bytes that matter",
            tally.refused, tally.changed, tally.material
        );
    }
    Ok(())
}

/// The REPORTDATA of a TD that was verified.
fn carried(verified: &VerifiedReport) -> Result<[u8; 64]> {
    let report = &verified.report;
    let td = report
        .as_td15()
        .map(|td| &td.base)
        .or_else(|| report.as_td10());
    Ok(td.context("the Quote is not about a TD")?.report_data)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
