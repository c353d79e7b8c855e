// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gets a TDREPORT with the crate `tdx_attest`, which speaks the TDX 1.0 ABI to a `/dev/tdx-guest` that it finds.
//!
//! Usage: `tdx-attest REPORTDATA`, with 64 bytes in hexadecimal digits. Prints the TDREPORT in the same form.

use base64::prelude::{Engine, BASE64_STANDARD};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let reportdata = std::env::args()
        .nth(1)
        .ok_or("usage: tdx-attest REPORTDATA")?;
    let reportdata = BASE64_STANDARD.encode(hex::decode(reportdata)?);
    let report = tdx_attest::get_td_report(reportdata).map_err(|error| error.to_string())?;
    println!("{}", hex::encode(report));
    Ok(())
}
