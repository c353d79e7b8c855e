// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gets a TDREPORT and a Quote with the crate `tdx_attest`, which speaks the TDX 1.0 ABI to a `/dev/tdx-guest` that it
//! finds, and the next one to a `/dev/tdx_guest`.
//!
//! Usage: `tdx-attest WAY REPORTDATA`, with 64 bytes in hexadecimal digits. Prints `report WAY BYTES` and
//! `quote WAY BYTES`, in the same form.

use base64::prelude::{Engine, BASE64_STANDARD};
use std::env::args;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: tdx-attest WAY REPORTDATA";
    let way = args().nth(1).ok_or(usage)?;
    let reportdata = BASE64_STANDARD.encode(hex::decode(args().nth(2).ok_or(usage)?)?);
    let report =
        tdx_attest::get_td_report(reportdata.clone()).map_err(|error| error.to_string())?;
    println!("report {way} {}", hex::encode(report));
    let quote = tdx_attest::get_tdx_quote(reportdata).map_err(|error| error.to_string())?;
    println!("quote {way} {}", hex::encode(quote));
    Ok(())
}
