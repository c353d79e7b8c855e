// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reports per second of several threads, each with the device open for itself.

use crate::device::{Device, LINUX_NODE};
use crate::emulation::Emulation;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The command line of `bench throughput`.
#[derive(Args)]
pub(crate) struct Options {
    /// The device node to ask
    #[arg(long, value_name = "NODE", default_value = LINUX_NODE)]
    device: String,

    /// How many threads ask; a measurement for each number
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "1,2,4"
    )]
    threads: Vec<u32>,

    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,

    /// How long a TDG.MR.REPORT takes (emulated TDs only)
    #[arg(long, value_name = "MICROSECONDS")]
    report_time: Option<u64>,
}

/// A line of output.
#[derive(Serialize)]
struct Throughput<'a> {
    bench: &'static str,
    device: &'a str,
    threads: u32,
    vcpus: usize,
    /// In microseconds, where it was set.
    report_time: Option<u64>,
    reports: u64,
    seconds: f64,
    reports_per_second: f64,
}

/// Measures, and prints a line for each number of threads.
pub(crate) fn run(options: &Options) -> Result<()> {
    // Kept until the end: the emulation is itself again when it is dropped.
    let emulation = match options.report_time {
        None => None,
        Some(time) => {
            let emulation = Emulation::find()
                .context("--report-time is for the emulation (control=on of the QEMU plugin)")?;
            emulation.slow_down(Duration::from_micros(time));
            Some(emulation)
        }
    };
    for &threads in &options.threads {
        let (reports, time) = measure(options, threads)?;
        super::print(&Throughput {
            bench: "throughput",
            device: &options.device,
            threads,
            vcpus: thread::available_parallelism()?.get(),
            report_time: options.report_time,
            reports,
            seconds: time.as_secs_f64(),
            reports_per_second: reports as f64 / time.as_secs_f64(),
        })?;
    }
    drop(emulation);
    Ok(())
}

/// How many reports that number of threads got, and in what time.
fn measure(options: &Options, threads: u32) -> Result<(u64, Duration)> {
    let barrier = Barrier::new(usize::try_from(threads)? + 1);
    let limit = Duration::from_secs(options.seconds);
    let devices = (0..threads)
        .map(|_| Device::open(&options.device))
        .collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let barrier = &barrier;
        let threads: Vec<_> = devices
            .into_iter()
            .map(|device| {
                scope.spawn(move || -> Result<u64> {
                    barrier.wait();
                    let begin = Instant::now();
                    let mut reports = 0;
                    while begin.elapsed() < limit {
                        device.get_report(&[0x5c; 64])?;
                        reports += 1;
                    }
                    Ok(reports)
                })
            })
            .collect();
        barrier.wait();
        let begin = Instant::now();
        let mut reports = 0;
        for thread in threads {
            reports += thread.join().expect("a thread that asks does not panic")?;
        }
        Ok((reports, begin.elapsed()))
    })
}
