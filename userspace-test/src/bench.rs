// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx-userspace-test bench`: what a report costs. Results are JSON, one object per line, on standard output.

mod count;
mod quote;
mod throughput;

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Count the instructions that the guest executes for a GET_REPORT, made and refused (emulated TDs only)
    Count(count::Options),
    /// Measure how long a Quote takes, alone and beside others
    Quote(quote::Options),
    /// Count the reports that several threads get in a second
    Throughput(throughput::Options),
}

/// Measures.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Count(options) => count::run(options)?,
        Command::Quote(options) => quote::run(options)?,
        Command::Throughput(options) => throughput::run(options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a result.
fn print(result: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}
