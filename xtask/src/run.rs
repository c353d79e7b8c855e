// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask run`: a TDREPORT from the driver in a booted TD, decoded and checked.

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};

use crate::artefacts::host_cargo;
use crate::progress::Progress;
use crate::report;
use crate::setup;
use crate::td::Td;
use crate::vm::{Driver, Stdin};

/// The program that runs in the TD.
pub(crate) const PROGRAM: &str = "tdx-userspace-test";

/// How long boot and report may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Boots a TD, prints the report that its driver gives, and checks what can be checked of it.
pub(crate) fn run(options: &setup::Options) -> Result<()> {
    let environment = setup::environment(options)?;
    let progress = Progress::new(&environment.paths, 4);
    let td = Td::build(&environment, &progress)?;
    let program = host_cargo::static_program(&environment.paths, PROGRAM, PROGRAM, &progress)?;

    let step = progress.step("TD")?;
    let mut guest = td.guest(&environment, "run");
    guest.driver = Driver::Rust(td.module()?.into());
    guest.files = vec![program];
    // The bytes come out on one stream, the text on the other.
    let command = [&format!("./{PROGRAM}"), "report", "--out", "-"].map(Into::into);
    let output = guest.output(&command, Some(LIMIT), Stdin::Null)?;
    step.done();

    let text = String::from_utf8_lossy(&output.stderr);
    if output.status != 0 {
        bail!("no report from the TD: {}", text.trim_end());
    }
    print!("{text}");
    let report = report::check(&output.stdout).context("the report that came out of the TD")?;
    ensure!(
        text.starts_with(&report.to_string()),
        "the report that came out of the TD is not the one that was printed in it"
    );
    println!("hashes hold, MAC holds");
    Ok(())
}
