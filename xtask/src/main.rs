// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask`: sets up, builds, boots, tests and measures the project.
//!
//! Everything that it makes is under `target/tdx/`, and nothing is installed on the machine.

mod artefacts;
mod bench;
mod disposal;
mod enclosure;
mod fuzz;
mod lock;
mod paths;
mod progress;
mod report;
mod run;
mod setup;
mod space;
mod td;
mod test;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use enclosure::enter::Enter;

/// Sets up, builds, boots, tests and measures the project
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    setup: setup::Options,
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Boot a TD with the driver, and print the TDREPORT that the driver gives
    Run,
    /// Check the project: source, driver, and the TDs that it is loaded in
    Test(test::Options),
    Vm(vm::cli::VmArgs),
    /// Measure this driver beside the kernel's own; the agent, or the firmware library, beside others
    Bench(bench::Options),
    /// Give the parsers inputs that libFuzzer makes up, and say what is found and what is reached
    Fuzz(fuzz::Options),
    /// Set up what is missing, and say what there is
    Setup {
        /// Resolve anew, with the newest packages that the mirror has
        #[arg(long)]
        refresh: bool,
    },
    /// Run a program in namespaces of its own (what xtask starts itself with)
    #[command(hide = true)]
    Enter(Enter),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let setup = arguments.setup;
    // `vm` has the statuses of commands, and one that says that there is none.
    let failed = match arguments.work {
        Work::Vm(_) => ExitCode::from(vm::cli::STATUS_FAILED),
        _ => ExitCode::FAILURE,
    };
    let result = match arguments.work {
        Work::Enter(enter) => return enter.run(),
        Work::Run => run::run(&setup).map(|()| ExitCode::SUCCESS),
        Work::Test(options) => test::test(&options, &setup),
        Work::Vm(options) => td::run_vm(&options, &setup).map(ExitCode::from),
        Work::Bench(options) => bench::bench(&options, &setup).map(|()| ExitCode::SUCCESS),
        Work::Fuzz(options) => fuzz::fuzz(&options, &setup),
        Work::Setup { refresh } => set_up(setup::Options { refresh, ..setup }),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        failed
    })
}

fn set_up(options: setup::Options) -> Result<ExitCode> {
    let environment = setup::environment(&options)?;
    let kernel = &environment.kernel;
    println!("root    {}", environment.root.display());
    println!(
        "kernel  {} (package version {}, {})",
        kernel.release, kernel.version, kernel.flavour
    );
    println!("modules {}", kernel.modules.display());
    println!("record  {}", environment.paths.record().display());
    Ok(ExitCode::SUCCESS)
}
