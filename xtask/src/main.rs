// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask`: sets up, builds, boots, tests and measures the project.
//!
//! Everything that it makes is under `target/tdx/`, and nothing is installed on the machine.

mod artefacts;
mod disposal;
mod enclosure;
mod lock;
mod paths;
mod progress;
mod setup;
mod space;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use artefacts::module::Rigour;
use artefacts::root_cargo::Check;
use artefacts::{c_program, host_cargo, module, root_cargo};
use enclosure::enter::Enter;
use progress::Progress;

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
    /// Set up what is missing, and say what there is
    Setup {
        /// Resolve anew, with the newest packages that the mirror has
        #[arg(long)]
        refresh: bool,
    },
    /// Build the driver for the kernel, the plugin for QEMU, and the programs for the guest
    Build,
    /// Check formatting, lints and documentation, with the oldest Rust that is supported and the kernel's own lints
    Lint,
    /// Run a program in namespaces of its own (what xtask starts itself with)
    #[command(hide = true)]
    Enter(Enter),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.work {
        Work::Enter(enter) => return enter.run(),
        Work::Setup { refresh } => set_up(setup::Options {
            refresh,
            ..arguments.setup
        }),
        Work::Build => build(&arguments.setup),
        Work::Lint => lint(&arguments.setup),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set_up(options: setup::Options) -> Result<()> {
    let environment = setup::environment(&options)?;
    let kernel = &environment.kernel;
    println!("root    {}", environment.root.display());
    println!(
        "kernel  {} (package version {}, {})",
        kernel.release, kernel.version, kernel.flavour
    );
    println!("modules {}", kernel.modules.display());
    println!("record  {}", environment.paths.record().display());
    Ok(())
}

fn build(options: &setup::Options) -> Result<()> {
    let environment = setup::environment(options)?;
    let paths = &environment.paths;
    let progress = Progress::new(paths, 4);
    let module = module::build(&environment, Rigour::Incremental, &progress)?;
    let selftest = c_program::selftest(&environment, &progress)?;
    let plugin = host_cargo::plugin(paths, &progress)?;
    let test =
        host_cargo::static_program(paths, "tdx-userspace-test", "tdx-userspace-test", &progress)?;
    for made in [module, selftest, plugin, test] {
        println!("{}", made.display());
    }
    Ok(())
}

fn lint(options: &setup::Options) -> Result<()> {
    let environment = setup::environment(options)?;
    let progress = Progress::new(&environment.paths, Check::ALL.len() + 2);
    for check in Check::ALL {
        root_cargo::check(&environment, check, &progress)?;
    }
    for rigour in [Rigour::DenyWarnings, Rigour::Clippy] {
        module::build(&environment, rigour, &progress)?;
    }
    Ok(())
}
