// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Quotes and reports that come out of TDs, judged outside of them.

use std::path::Path;

use anyhow::{ensure, Result};

use super::verifier::random_reportdata;
use super::{Check, Context, Tier, Verdict};
use crate::report;
use crate::run::PROGRAM;
use crate::vm::{Driver, Guest};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "quote-verifies",
        about: "dcap-qvl accepts what a TD reads from `outblob`, and refuses it changed, or with a fault in the collateral",
        tier: Tier::Landing,
        run: quote_verifies,
    },
    Check {
        name: "foreign-report",
        about: "a TD on a platform of another seed finds by ioctl that a report's MAC does not hold",
        tier: Tier::Landing,
        run: foreign_report,
    },
];

/// What a program does for a Quote, by way of configfs-tsm.
const GET_QUOTE: &str =
    "cd /sys/kernel/config/tsm/report && mkdir mine && cat /root/reportdata >mine/inblob && cat mine/outblob";

/// The TDs that are asked: the version that their Quotes have, and what is peculiar to them.
const TDS: [(&str, &str); 2] = [
    ("version 4", ""),
    // The TDX module was updated while the TD ran.
    (
        "version 5",
        "[platform]\ntee_tcb_svn2 = \"06010200000000000000000000000000\"\n",
    ),
];

fn quote_verifies(context: &Context<'_>) -> Result<Verdict> {
    let verifier = context.verifier()?;
    let mut seen = Vec::new();
    for (version, config) in TDS {
        let td = verifier.write("td.toml", config)?;
        let reportdata = random_reportdata()?;
        let mut guest = guest(context, &format!("TD for a Quote of {version}"), &td)?;
        guest.files.push(verifier.write("reportdata", reportdata)?);
        let quote = context.succeed(&guest, &["sh", "-c", GET_QUOTE])?;
        let said = verifier.judge(&td, &quote, &reportdata)?;
        ensure!(said.contains(version), "a Quote of {version}: {said}");
        let tally = said.lines().last().unwrap_or_default();
        seen.push(format!("{version}: {tally}"));
    }
    Ok(Verdict::Passed(seen.join("; ")))
}

fn foreign_report(context: &Context<'_>) -> Result<Verdict> {
    const OTHER: &str =
        "[platform]\nseed = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n";
    let verifier = context.verifier()?;
    let program = format!("./{PROGRAM}");

    let config = verifier.write("td.toml", "")?;
    let mut one = guest(context, "TD that makes a report", &config)?;
    one.files.push(context.program()?.into());
    let foreign = context.succeed(&one, &[&program, "report", "--out", "-"])?;
    // Its own platform says that it holds.
    report::check(&foreign)?;

    let config = verifier.write("td.toml", OTHER)?;
    let mut other = guest(context, "TD on another platform", &config)?;
    other.files.push(context.program()?.into());
    other.files.push(verifier.write("foreign", foreign)?);
    let script = format!(
        "{program} report --out own >/dev/null && {program} verify own foreign || echo status $?"
    );
    let said = context.succeed(&other, &["sh", "-c", &script])?;
    let said = String::from_utf8_lossy(&said);
    ensure!(
        said == "own: holds\nforeign: EBADMSG\nstatus 1\n",
        "the TD on the other platform said:\n{said}"
    );
    Ok(Verdict::Passed(
        "its own holds, the other one's is EBADMSG".into(),
    ))
}

/// A TD as `cargo xtask vm` boots it, with this driver and this configuration.
fn guest(context: &Context<'_>, name: &str, config: &Path) -> Result<Guest> {
    let td = context.td()?;
    let mut guest = td.guest(context.environment, name);
    if let Some(plugin) = &mut guest.plugin {
        plugin.arguments.push(("config".into(), config.into()));
    }
    guest.driver = Driver::Rust(td.module()?.into());
    Ok(guest)
}
