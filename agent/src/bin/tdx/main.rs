// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx`: what a TD is, what was measured in it, and whether to believe it. docs/tdx.md shows every command.

mod claims;
mod decoded;
mod describe;
mod eventlog;
mod evidence;
mod exit;
mod extend;
mod generate;
mod input;
mod logs;
mod measure;
mod output;
mod policy;
mod quote;
mod replay;
mod report;
mod reportdata;
mod status;
mod verify;

use clap::{Parser, Subcommand};
use exit::Exit;
use output::Output;
use std::process::ExitCode;

/// What a TD is, what was measured in it, and whether to believe it.
#[derive(Debug, Parser)]
#[command(name = "tdx", version, disable_help_subcommand = true, after_help = exit::HELP)]
struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Options),
    Report(report::Options),
    Quote(quote::Options),
    Verify(Box<verify::Options>),
    Eventlog(eventlog::Options),
    Replay(replay::Options),
    Extend(extend::Options),
    Measure(Box<measure::Options>),
    Policy(policy::Options),
    Evidence(evidence::Options),
    Completions(generate::Completions),
    Man(generate::Man),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let result = match &cli.command {
        Command::Status(options) => options.run(&output),
        Command::Report(options) => options.run(&output),
        Command::Quote(options) => options.run(&output),
        Command::Verify(options) => options.run(&output),
        Command::Eventlog(options) => options.run(&output),
        Command::Replay(options) => options.run(&output),
        Command::Extend(options) => options.run(&output),
        Command::Measure(options) => options.run(&output),
        Command::Policy(options) => options.run(&output),
        Command::Evidence(options) => options.run(&output),
        Command::Completions(options) => options.run(),
        Command::Man(options) => options.run(),
    };
    result
        .unwrap_or_else(|error| {
            output.error(&error);
            Exit::of(&error)
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
