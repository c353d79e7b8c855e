// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Set-up, build, boot, test and bench of the project. Development front-end: paths come from the environment.

mod vm;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Boot a TD and run a command in it.
    Vm(vm::cli::VmArgs),
    /// Check that guests do what is promised of them.
    VmChecks {
        /// Only those whose names contain this.
        filter: Option<String>,
    },
}

fn path(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set"))
}

fn guest() -> Result<vm::Guest> {
    let modules = path("TDX_VM_MODULES")?;
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tdx");
    let release = modules.file_name().context("TDX_VM_MODULES")?;
    let mut guest = vm::Guest::new(
        path("TDX_VM_ROOT")?,
        path("TDX_VM_VMLINUZ")?,
        modules.clone(),
        release.to_string_lossy().into_owned(),
        target.join("cache"),
        target.join("logs"),
    );
    guest.plugin = path("TDX_VM_PLUGIN").ok().map(|path| vm::Plugin {
        path,
        arguments: Vec::new(),
    });
    guest.driver = vm::Driver::None(path("TDX_VM_KO").ok());
    Ok(guest)
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Task::Vm(args) => Ok(args
            .run(guest()?, path("TDX_VM_KO").ok().as_deref())?
            .into()),
        Task::VmChecks { filter } => vm::checks::run(&guest()?, filter.as_deref()),
    }
}
