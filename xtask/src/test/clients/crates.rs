// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Crates, built by the root's cargo with the versions of `userspace-test/clients/Cargo.lock`.

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use super::check;
use crate::artefacts::root_cargo;
use crate::report;
use crate::run::PROGRAM;
use crate::test::context::Which;
use crate::test::verifier::random_reportdata;
use crate::test::{Context, Verdict};
use crate::vm::Guest;

const TDX_ATTEST: &str = "tdx-attest";
const WORKLOAD: &str = "tdx-workload-attestation";

/// The libraries that they need beside those that every guest has.
const LIBRARIES: [&str; 4] = ["libssl.so.3", "libcrypto.so.3", "libz.so.1", "libzstd.so.1"];

/// A TD with a program and its libraries.
fn guest(context: &Context<'_>, program: &str) -> Result<Guest> {
    let built = root_cargo::clients(context.environment, &context.progress)?;
    let mut guest = context.guest(&format!("{program} in a TD"), Which::Rust)?;
    guest.files.push(built.join(program));
    let libraries = context.environment.root.join("usr/lib/x86_64-linux-gnu");
    guest
        .files
        .extend(LIBRARIES.map(|library| libraries.join(library)));
    Ok(guest)
}

pub(super) fn tdx_attest(context: &Context<'_>) -> Result<Verdict> {
    let reportdata = random_reportdata()?;
    let digits = hex::encode(reportdata);
    // It takes the node of the TDX 1.0 driver where there is one.
    let script = format!(
        "export LD_LIBRARY_PATH=. && ./{TDX_ATTEST} 1.0 {digits} && \
         rm /dev/tdx-guest && ./{TDX_ATTEST} 1.5 {digits}"
    );
    let output = context.succeed(&guest(context, TDX_ATTEST)?, &["sh", "-c", &script])?;
    let expected = ["report 1.0", "quote 1.0", "report 1.5", "quote 1.5"];
    check(context, &output, &expected, &reportdata)
}

pub(super) fn workload(context: &Context<'_>) -> Result<Verdict> {
    let mut guest = guest(context, WORKLOAD)?;
    guest.files.push(context.program()?.into());
    let script =
        format!("./{PROGRAM} report --out report >/dev/null && LD_LIBRARY_PATH=. ./{WORKLOAD} && cat report");
    let output = context.succeed(&guest, &["sh", "-c", &script])?;
    let end = output
        .iter()
        .position(|&byte| byte == b'\n')
        .context("there is no line of output")?;
    let (json, report) = (&output[..end], &output[end + 1..]);
    // It gives no choice of REPORTDATA, but the TD is the same.
    let report = report::check(report)?;
    let json: Value = serde_json::from_slice(json)
        .with_context(|| format!("{WORKLOAD} printed {}", String::from_utf8_lossy(json)))?;
    let field = |name: &str| serde_json::from_value::<Vec<u8>>(json["td_info"][name].clone());
    ensure!(
        field("mrtd")? == report.td_info.mrtd.0,
        "{WORKLOAD} got another MRTD: {json}"
    );
    ensure!(
        field("attributes")? == report.td_info.attributes.get().to_le_bytes(),
        "{WORKLOAD} got other attributes: {json}"
    );
    Ok(Verdict::Passed("a report of this TD".into()))
}
