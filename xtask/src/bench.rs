// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench`: this driver beside the kernel's own, alternating in one run; `cargo xtask bench agent` and `bench
//! firmware`: the agent and the firmware library beside others.

mod agent;
mod firmware;
mod quote;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::artefacts::host_cargo;
use crate::progress::Progress;
use crate::run::PROGRAM;
use crate::setup::{self, Environment};
use crate::td::Td;
use crate::vm::{Driver, Stdin};

/// How long what is measured in one guest may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The kernel's own driver, below the folder of a kernel's modules.
const C_MODULE: &str = "kernel/drivers/virt/coco/tdx-guest/tdx-guest.ko";

/// What to measure, and how.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,

    /// How often each driver is measured, by turns
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many calls are counted in each round
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,

    /// How long a TDG.MR.REPORT takes while the throughput is measured
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 5000)]
    report_time: u32,

    /// How many Quotes are asked for one after the other in each round; Linux's own driver takes a second for each
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    quotes: u32,
}

/// What to measure, if not the driver.
#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// Measure `tdx` and its library beside others: dcap-qvl, and cctrusted in Python
    Agent,
    /// Measure the firmware library beside bare hashing, other engines and cctrusted
    Firmware,
}

/// A line that the program in the guest prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "bench", rename_all = "lowercase")]
enum Line {
    /// Instructions of a GET_REPORT.
    Count {
        path: String,
        calls: usize,
        median: u64,
        min: u64,
        max: u64,
        identical: f64,
    },
    /// Reports per second.
    Throughput {
        threads: u32,
        reports_per_second: f64,
    },
    /// How long a Quote takes.
    Quote {
        way: String,
        service_ms: u64,
        median_ms: f64,
        callers: u32,
        parallel_ms: f64,
    },
}

/// What was measured of one driver in all rounds.
#[derive(Debug, Default)]
struct Measured {
    lines: Vec<Line>,
}

/// Measures, and prints tables.
///
/// # Errors
/// When something could not be measured. Figures are no reason to fail.
pub(crate) fn bench(options: &Options, setup: &setup::Options) -> Result<()> {
    let environment = setup::environment(setup)?;
    let progress = Progress::new(&environment.paths, 1);
    match options.what {
        Some(What::Agent) => return agent::bench(&environment, &progress),
        Some(What::Firmware) => return firmware::bench(&environment),
        None => {}
    }
    let td = Td::build(&environment, &progress)?;
    let program = host_cargo::static_program(&environment.paths, PROGRAM, PROGRAM, &progress)?;

    let (mut rust, mut c) = (Measured::default(), Measured::default());
    let drivers = [
        ("driver", Driver::Rust(td.module()?.into())),
        ("C driver", Driver::C),
    ];
    for round in 1..=options.rounds {
        for ((name, driver), measured) in drivers.iter().zip([&mut rust, &mut c]) {
            let calls = options.calls.to_string();
            let time = options.report_time.to_string();
            let count = ["count", "--calls", &calls];
            let throughput = ["throughput", "--report-time", &time];
            let quotes = options.quotes.to_string();
            let services = quote::SERVICE_TIMES.map(|time| time.to_string()).join(",");
            let quote = ["quote", "--calls", &quotes, "--service-time", &services];
            for (what, vcpus, arguments) in [
                ("instructions", 1, &count[..]),
                ("throughput", 4, &throughput),
                ("Quotes", 4, &quote),
            ] {
                let step = progress.step(&format!("{name}, {what}, round {round}"))?;
                let mut guest = td.guest(&environment, "bench");
                if let Some(plugin) = &mut guest.plugin {
                    plugin.arguments.push(("control".into(), "on".into()));
                }
                guest.driver = driver.clone();
                guest.smp = vcpus;
                guest.files = vec![program.clone()];
                let mut command: Vec<OsString> =
                    vec![format!("./{PROGRAM}").into(), "bench".into()];
                command.extend(arguments.iter().map(Into::into));
                let output = guest.output(&command, Some(LIMIT), Stdin::Null)?;
                ensure!(
                    output.status == 0,
                    "{name}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                let text = String::from_utf8(output.stdout)?;
                for line in text.lines() {
                    measured.lines.push(
                        serde_json::from_str(line)
                            .with_context(|| format!("the guest printed {line}"))?,
                    );
                }
                step.done();
            }
        }
    }

    println!(
        "GET_REPORT and Quotes on {}, {} rounds, this driver (Rust) and the kernel's own (C) by turns\n",
        environment.kernel.release, options.rounds
    );
    print_instructions(&rust, &c)?;
    print_throughput(options, &rust, &c)?;
    quote::print(&rust, &c)?;
    print_sizes(&environment, td.module()?)
}

impl Measured {
    /// The counts of all rounds for the path `success` or `error`.
    fn counts(&self, wanted: &str) -> Vec<&Line> {
        let is_wanted = |line: &&Line| matches!(line, Line::Count { path, .. } if path == wanted);
        self.lines.iter().filter(is_wanted).collect()
    }

    /// The reports per second with so many threads, the median of the rounds.
    fn throughput(&self, wanted: u32) -> Result<f64> {
        let rate = |line: &Line| match line {
            Line::Throughput {
                threads,
                reports_per_second,
            } if *threads == wanted => Some(*reports_per_second),
            _ => None,
        };
        median(self.lines.iter().filter_map(rate).collect())
    }
}

fn print_instructions(rust: &Measured, c: &Measured) -> Result<()> {
    println!("guest instructions per call, 1 vCPU        median     min     max  identical");
    for (path, about) in [
        ("success", "a report is made"),
        ("error", "the TDX module refuses"),
    ] {
        let mut medians = Vec::new();
        for (name, measured) in [("Rust", rust), ("C", c)] {
            let mut of_rounds = Vec::new();
            let (mut all, mut least, mut most, mut shares) = (0, u64::MAX, 0, Vec::new());
            for line in measured.counts(path) {
                if let Line::Count {
                    calls,
                    median,
                    min,
                    max,
                    identical,
                    ..
                } = line
                {
                    of_rounds.push(*median as f64);
                    shares.push(*identical);
                    (all, least, most) = (all + calls, least.min(*min), most.max(*max));
                }
            }
            let middle = median(of_rounds)?;
            let share = 100.0 * median(shares)?;
            println!("  {about:<23} {name:<5} {all:>5} calls {middle:>8} {least:>7} {most:>7} {share:>8.1} %");
            medians.push(middle);
        }
        println!("  {about:<23} Rust/C {:>19.3}", medians[0] / medians[1]);
    }
    println!();
    Ok(())
}

fn print_throughput(options: &Options, rust: &Measured, c: &Measured) -> Result<()> {
    println!(
        "reports per second, 4 vCPUs, TDG.MR.REPORT takes {} µs",
        options.report_time
    );
    println!("  threads      Rust         C    Rust/C");
    for threads in [1, 2, 4] {
        let (rust, c) = (rust.throughput(threads)?, c.throughput(threads)?);
        println!("  {threads:<8} {rust:>8.1} {c:>9.1} {:>9.2}", rust / c);
    }
    println!();
    Ok(())
}

fn print_sizes(environment: &Environment, module: &Path) -> Result<()> {
    let c_module = uncompressed_c_module(environment)?;
    println!("bytes of the module                      Rust         C    Rust/C");
    for (about, sections) in [
        (".text", &[".text"] as &[&str]),
        (".init.text and .exit.text", &[".init.text", ".exit.text"]),
        (
            "data (.data, .bss, .rodata*)",
            &[
                ".data",
                ".bss",
                ".rodata",
                ".rodata.str",
                ".rodata.str1.1",
                ".rodata.str1.8",
            ],
        ),
    ] {
        let (rust, c) = (
            size(environment, module, sections)?,
            size(environment, &c_module, sections)?,
        );
        println!(
            "  {about:<32} {rust:>10} {c:>9} {:>9.2}",
            rust as f64 / c as f64
        );
    }
    Ok(())
}

/// The kernel's own driver, without the compression that distributions give modules.
fn uncompressed_c_module(environment: &Environment) -> Result<PathBuf> {
    let kernel = &environment.kernel;
    let module = kernel.modules.join(&kernel.release).join(C_MODULE);
    if module.is_file() {
        return Ok(module);
    }
    let compressed = module.with_extension("ko.xz");
    let out = environment.paths.build("c-tdx-guest.ko");
    fs::create_dir_all(environment.paths.build(""))?;
    let inside = environment
        .enclosure()
        .bind_read_only(&compressed, "/module.xz");
    let status = inside
        .command("xz")
        .args(["-dc", "/module.xz"])
        .stdout(File::create(&out)?)
        .status()?;
    ensure!(
        status.success(),
        "cannot decompress {}",
        compressed.display()
    );
    Ok(out)
}

/// The bytes that those sections of an object file have together.
fn size(environment: &Environment, object: &Path, sections: &[&str]) -> Result<u64> {
    let inside = environment.enclosure().bind_read_only(object, "/object");
    let mut command: Command = inside.command("size");
    let output = command.args(["-A", "/object"]).output()?;
    if !output.status.success() {
        bail!(
            "size {}: {}",
            object.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout)?;
    let section = |line: &str| {
        let mut words = line.split_whitespace();
        let wanted = sections.contains(&words.next()?);
        words.next()?.parse::<u64>().ok().filter(|_| wanted)
    };
    Ok(text.lines().filter_map(section).sum())
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len() / 2)
        .copied()
        .context("nothing was measured")
}
