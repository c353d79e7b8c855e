// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the command line says about the machine and the driver.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    /// Our driver, loaded.
    Rust,
    /// Linux's driver in C, loaded.
    C,
    /// No driver, in a machine that is no TD.
    None,
}

/// What the tests need to know.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The driver that is loaded: decides which tests are run
    #[arg(long, value_enum, default_value_t = Driver::Rust)]
    pub(crate) driver: Driver,

    /// The driver's module, for the tests that load it [default: that of the running kernel]
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,

    /// Our driver's module, for the tests that load it beside the one that is loaded [default: that of the running kernel]
    #[arg(long, value_name = "FILE")]
    pub(crate) rival: Option<PathBuf>,

    /// How often the driver is loaded and unloaded in a row
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) loads: u32,

    /// The kernel was built to find mistakes: see at the end what it has found
    #[arg(long)]
    pub(crate) debug_kernel: bool,

    /// How long a test may take; some may take a multiple of it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,

    /// Write the results to FILE, too: a JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    /// How long a usual test may take.
    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
