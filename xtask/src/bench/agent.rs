// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent beside others, by a program in a workspace of its own.

use anyhow::Result;

use crate::artefacts::{host_cargo, pypi};
use crate::progress::Progress;
use crate::setup::Environment;

/// Where the program is that compares.
const FOLDER: &str = "agent/bench";

/// Compares, and prints tables.
pub(super) fn bench(environment: &Environment, progress: &Progress) -> Result<()> {
    let paths = &environment.paths;
    let tdx = host_cargo::handed_out(paths, "tdx-agent", "tdx", progress)?;
    let packages = pypi::verifiers(environment, progress)?;
    let mut step = progress.step("the agent beside others")?;
    let mut bench = host_cargo::apart(paths, "run", FOLDER);
    bench.env("PYTHONPATH", packages);
    bench.arg("--").arg("--tdx").arg(tdx);
    let tables = step.output(&mut bench)?;
    step.done();
    print!("{tables}");
    Ok(())
}
