// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What runs inside a TD to see whether the driver does what it should. As root:
//!
//! ```text
//! tdx-userspace-test report               get a TDREPORT, check it and print it decoded
//! tdx-userspace-test verify FILE          ask whether a TDREPORT is of this platform
//! tdx-userspace-test test                 run the tests of the Rust driver
//! tdx-userspace-test test --driver c      run those that hold for Linux's driver in C
//! tdx-userspace-test test --driver none   run those for a machine that is no TD
//! tdx-userspace-test test --list          list them; --help has the rest
//! tdx-userspace-test bench count          count the instructions of GET_REPORT
//! tdx-userspace-test bench throughput     measure reports per second
//! tdx-userspace-test bench quote          measure how long a Quote takes
//! ```
//!
//! The program needs nothing else of the system and can be linked statically, so it runs in any initramfs.

mod bench;
mod device;
mod emulation;
mod harness;
mod kernel_log;
mod memory;
mod module;
mod options;
mod quote;
mod registers;
mod report;
mod tests;
mod tsm;
mod userfault;
mod verify;

use anyhow::Result;
use clap::{Parser, Subcommand};
use harness::{self_test, Kernel};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Tests of the TDX guest driver, run inside a TD")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Get a TDREPORT, check its hashes and REPORTDATA, and print it decoded
    Report(report::Options),
    /// Ask whether TDREPORTs are of this platform
    Verify(verify::Options),
    /// Run tests, each in a process of its own
    Test {
        #[command(flatten)]
        arguments: libtest_mimic::Arguments,
        #[command(flatten)]
        options: options::Options,
    },
    /// Run tests of the harness that end in every way
    #[command(hide = true)]
    SelfTest {
        #[command(flatten)]
        arguments: libtest_mimic::Arguments,
        #[command(flatten)]
        options: options::Options,
    },
    /// Measure, and print the results as JSON, one object per line
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Report(options) => report::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Bench(command) => bench::run(&command),
        Command::Test { arguments, options } => {
            harness::run(&tests::all(), arguments, options, Kernel::Watched)
        }
        Command::SelfTest { arguments, options } => {
            harness::run(self_test::TESTS, arguments, options, Kernel::Ignored)
        }
    }
}
