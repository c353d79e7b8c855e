// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs of others, unmodified from their registry, against the driver.

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::artefacts::root_cargo;
use crate::report;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "clients",
    about: "the crates tdx_attest (TDX 1.0 form) and tdx_workload_attestation (Linux's form) get TDREPORTs",
    tier: Tier::Landing,
    run: clients,
}];

/// The programs.
const TDX_ATTEST: &str = "tdx-attest";
const WORKLOAD: &str = "tdx-workload-attestation";

/// The libraries that they need beside those that every guest has.
const LIBRARIES: [&str; 4] = ["libssl.so.3", "libcrypto.so.3", "libz.so.1", "libzstd.so.1"];

fn clients(context: &Context<'_>) -> Result<Verdict> {
    let built = root_cargo::clients(context.environment, &context.progress)?;
    let mut guest = context.guest("programs of others in a TD", Which::Rust)?;
    guest
        .files
        .extend([TDX_ATTEST, WORKLOAD].map(|name| built.join(name)));
    let libraries = context.environment.root.join("usr/lib/x86_64-linux-gnu");
    guest
        .files
        .extend(LIBRARIES.map(|library| libraries.join(library)));
    let reportdata = "a5".repeat(64);
    let script = format!("export LD_LIBRARY_PATH=. && ./{TDX_ATTEST} {reportdata} && ./{WORKLOAD}");
    let output = String::from_utf8(context.succeed(&guest, &["sh", "-c", &script])?)?;
    let (hexadecimal, json) = output
        .trim_end()
        .split_once('\n')
        .context("there are not two lines of output")?;

    let bytes =
        from_hex(hexadecimal).with_context(|| format!("{TDX_ATTEST} printed {hexadecimal}"))?;
    let report =
        report::check(&bytes).with_context(|| format!("the report that {TDX_ATTEST} got"))?;
    ensure!(
        report.mac.reportdata == [0xa5; 64],
        "{TDX_ATTEST} got a report for other REPORTDATA"
    );

    // The other one gives no choice of REPORTDATA. The TD is the same.
    let json: Value =
        serde_json::from_str(json).with_context(|| format!("{WORKLOAD} printed {json}"))?;
    let field = |name: &str| serde_json::from_value::<Vec<u8>>(json["td_info"][name].clone());
    ensure!(
        field("mrtd")? == report.td_info.mrtd.0,
        "{WORKLOAD} got another MRTD: {json}"
    );
    ensure!(
        field("attributes")? == report.td_info.attributes.get().to_le_bytes(),
        "{WORKLOAD} got other attributes: {json}"
    );
    Ok(Verdict::Passed("both".into()))
}

/// The bytes that the digits stand for.
fn from_hex(digits: &str) -> Result<Vec<u8>> {
    ensure!(
        digits.is_ascii() && digits.len() % 2 == 0,
        "this is not hexadecimal"
    );
    let byte =
        |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).context("this is not hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn digits_become_bytes() {
        assert_eq!(from_hex("00a5ff").unwrap(), [0, 0xa5, 0xff]);
        for wrong in ["0", "0g", "ää", "-1"] {
            assert!(from_hex(wrong).is_err(), "{wrong}");
        }
    }
}
