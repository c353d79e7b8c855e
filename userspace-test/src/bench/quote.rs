// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How long a Quote takes, one by one and for several callers at once, with a quoting service of the emulation that takes a
//! given time. Without the emulation, with whatever service there is.

use crate::device::{random_reportdata, Device, NODE};
use crate::emulation::Emulation;
use crate::quote::quote;
use crate::tsm;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The command line of `bench quote`.
#[derive(Args)]
pub(crate) struct Options {
    /// How long the service takes for a Quote; a measurement for each (emulated TDs only)
    #[arg(
        long,
        value_name = "MILLISECONDS,…",
        value_delimiter = ',',
        default_value = "0,5,50"
    )]
    service_time: Vec<u64>,

    /// How many Quotes are asked for, one after the other
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,

    /// How many callers ask at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    callers: usize,
}

/// A line of output.
#[derive(Serialize)]
struct Latency {
    bench: &'static str,
    /// `configfs` or `ioctl`.
    way: &'static str,
    service_ms: Option<u64>,
    /// From asking until the Quote is there.
    median_ms: f64,
    min_ms: f64,
    max_ms: f64,
    callers: usize,
    /// From the moment in which that many callers ask at once until all have their Quote.
    parallel_ms: f64,
}

/// A way to ask.
type Way = fn() -> Result<()>;

/// Measures, and prints a line for each way and each time.
pub(crate) fn run(options: &Options) -> Result<()> {
    let emulation = Emulation::find();
    let mut ways: Vec<(&str, Way)> = vec![("configfs", by_configfs)];
    // Only our driver has the node, and the ioctl.
    if Path::new(NODE).exists() {
        ways.push(("ioctl", by_ioctl));
    }
    let times = match emulation {
        Some(_) => options.service_time.iter().copied().map(Some).collect(),
        None => vec![None],
    };
    for service_ms in times {
        if let (Some(emulation), Some(time)) = (&emulation, service_ms) {
            emulation.slow_quotes_down(Duration::from_millis(time));
        }
        for &(way, ask) in &ways {
            // The first has to share memory with the host.
            ask()?;
            let mut times = (0..options.calls)
                .map(|_| time(ask))
                .collect::<Result<Vec<_>>>()?;
            times.sort_by(f64::total_cmp);
            // So have those that are the first of many.
            parallel(options.callers, ask)?;
            super::print(&Latency {
                bench: "quote",
                way,
                service_ms,
                median_ms: times[times.len() / 2],
                min_ms: times[0],
                max_ms: times[times.len() - 1],
                callers: options.callers,
                parallel_ms: parallel(options.callers, ask)?,
            })?;
        }
    }
    Ok(())
}

/// How many milliseconds something takes.
fn time(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64() * 1000.0)
}

fn by_configfs() -> Result<()> {
    let quote = tsm::quote(&random_reportdata()?)?;
    quote.map(drop).context("no Quote by configfs")
}

fn by_ioctl() -> Result<()> {
    let quote = quote(&Device::open(NODE)?, &random_reportdata()?)?;
    quote.map(drop).context("no Quote by ioctl")
}

/// How many milliseconds it takes until so many callers have a Quote.
fn parallel(callers: usize, ask: Way) -> Result<f64> {
    let barrier = Barrier::new(callers + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    ask()
                })
            })
            .collect();
        time(|| {
            barrier.wait();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("asking does not panic"))
        })
    })
}
