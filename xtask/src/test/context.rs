// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What checks work with: the environment, and what is built once for all of them.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, Context as _, Result};

use super::verifier::Verifier;
use crate::artefacts::{c_program, host_cargo};
use crate::progress::Progress;
use crate::run::PROGRAM;
use crate::setup::{self, Environment};
use crate::td::{self, Td};
use crate::vm::{Driver, Failure, Guest, Output, Stdin, What};

/// How long they may take usually.
const LIMIT: Duration = Duration::from_secs(900);

/// What checks work with.
pub(super) struct Context<'a> {
    /// What is set up.
    pub(super) environment: &'a Environment,
    /// How it was asked for.
    pub(super) setup: &'a setup::Options,
    /// Tells what goes on.
    pub(super) progress: Progress,
    /// How long the checks in one guest may take.
    pub(super) limit: Duration,
    td: OnceCell<Td>,
    program: OnceCell<PathBuf>,
    tdx: OnceCell<PathBuf>,
    selftest: OnceCell<PathBuf>,
    verifier: OnceCell<Verifier>,
}

/// A driver that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// This project's.
    Rust,
    /// The kernel's own.
    C,
}

impl<'a> Context<'a> {
    pub(super) fn new(environment: &'a Environment, setup: &'a setup::Options) -> Self {
        Self {
            environment,
            setup,
            progress: Progress::new(&environment.paths, 1),
            limit: LIMIT,
            td: OnceCell::new(),
            program: OnceCell::new(),
            tdx: OnceCell::new(),
            selftest: OnceCell::new(),
            verifier: OnceCell::new(),
        }
    }

    /// The plugin and the driver.
    pub(super) fn td(&self) -> Result<&Td> {
        once(&self.td, || Td::build(self.environment, &self.progress))
    }

    /// The program of tests that runs in guests.
    pub(super) fn program(&self) -> Result<&Path> {
        let build = || {
            host_cargo::static_program(&self.environment.paths, PROGRAM, PROGRAM, &self.progress)
        };
        once(&self.program, build).map(PathBuf::as_path)
    }

    /// The command `tdx`, for this machine and for guests.
    pub(super) fn tdx(&self) -> Result<&Path> {
        let build = || {
            host_cargo::static_program(&self.environment.paths, "tdx-agent", "tdx", &self.progress)
        };
        once(&self.tdx, build).map(PathBuf::as_path)
    }

    /// Linux's own test of the driver.
    pub(super) fn selftest(&self) -> Result<&Path> {
        once(&self.selftest, || {
            c_program::selftest(self.environment, &self.progress)
        })
        .map(PathBuf::as_path)
    }

    /// What verifies Quotes.
    pub(super) fn verifier(&self) -> Result<&Verifier> {
        once(&self.verifier, || {
            Verifier::new(&self.environment.paths, &self.progress)
        })
    }

    /// A TD with that driver, whose tests may drive the emulation.
    pub(super) fn guest(&self, name: &str, driver: Which) -> Result<Guest> {
        let td = self.td()?;
        let mut guest = td.guest(self.environment, name);
        if let Some(plugin) = &mut guest.plugin {
            plugin.arguments.push(("control".into(), "on".into()));
        }
        guest.driver = match driver {
            Which::C => Driver::C,
            Which::Rust => Driver::Rust(td.module()?.into()),
        };
        Ok(guest)
    }

    /// A virtual machine that is no TD, with the driver at hand.
    pub(super) fn ordinary_guest(&self, name: &str) -> Result<Guest> {
        let mut guest = td::ordinary_guest(self.environment, name);
        guest.driver = Driver::None(self.td()?.module.clone());
        Ok(guest)
    }

    /// Boots `guest` and runs `command` in it, as a step of its own with its output in the log.
    ///
    /// # Errors
    /// When there is no status of the command.
    pub(super) fn output(&self, guest: &Guest, command: &[&str]) -> Result<Output> {
        let mut step = self.progress.step(&guest.name)?;
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        let output = match guest.output(&command, Some(self.limit), Stdin::Null) {
            Ok(output) => output,
            Err(failure) => return Err(step.failure(&failure.to_string())),
        };
        step.record(&output.stdout);
        step.record(&output.stderr);
        step.done();
        Ok(output)
    }

    /// Boots `guest` and has it power off from inside. Returns what became of it, which is that.
    ///
    /// # Errors
    /// When it is still there, or ended in another way.
    pub(super) fn power_off(&self, guest: &Guest) -> Result<String> {
        let step = self.progress.step(&format!("{}, power-off", guest.name))?;
        let command = ["poweroff".into(), "-f".into()];
        match guest.output(&command, Some(LIMIT), Stdin::Null) {
            Err(Failure::Guest {
                what: What::PoweredOff,
                mut console,
            }) => {
                console.discard();
                step.done();
                Ok("powered off".into())
            }
            Err(other) => Err(other.into()),
            Ok(_) => bail!("the guest did not power off"),
        }
    }

    /// As [`Context::output`], for a command that must succeed, in a guest whose kernel must have no complaint. Returns
    /// what it wrote to its standard output.
    pub(super) fn succeed(&self, guest: &Guest, command: &[&str]) -> Result<Vec<u8>> {
        let output = self.output(guest, command)?;
        if output.status != 0 {
            bail!(
                "`{}` in the guest ended with {}:\n{}{}",
                command.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        if let Some(complaint) = output.console.splats().first() {
            let log = output.console.log.clone().unwrap_or_default();
            bail!(
                "the guest's kernel complained: {complaint}\nThe guest's console: {}",
                log.display()
            );
        }
        Ok(output.stdout)
    }
}

/// Boots `guest` and runs `command` in it with no step of its own, for guests that run side by side.
///
/// # Errors
/// When there is no status of the command.
pub(super) fn quietly(guest: &Guest, command: &[OsString]) -> Result<Output> {
    Ok(guest.output(command, Some(LIMIT), Stdin::Null)?)
}

/// What is in the cell, made first if nothing is.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if cell.get().is_none() {
        let _ = cell.set(make()?);
    }
    cell.get().context("what was just made is there")
}
