// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Instructions of GET_REPORT, as the emulation counts them: all that the vCPU executes, in user and kernel mode, from
//! before the system call until after it.
//!
//! Most calls take exactly the same number. Those that are interrupted take more, so the median is what to compare.

use crate::device::{Device, LINUX_NODE};
use crate::emulation::Emulation;
use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use nix::sched::{sched_setaffinity, CpuSet};
use nix::unistd::Pid;
use serde::Serialize;
use tdx_call::{OperandId, Status};
use tdx_uapi::ioctl::TdxReportReq;

/// The command line of `bench count`.
#[derive(Args)]
pub(crate) struct Options {
    /// The device node to ask
    #[arg(long, value_name = "NODE", default_value = LINUX_NODE)]
    device: String,

    /// How many calls are counted
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
}

/// A line of output.
#[derive(Serialize)]
struct Counts<'a> {
    bench: &'static str,
    device: &'a str,
    /// What the TDX module answers: `success` or `error`.
    path: &'static str,
    calls: usize,
    median: u64,
    min: u64,
    max: u64,
    /// The share of calls that took exactly the median.
    identical: f64,
    /// What counting itself adds, which is subtracted already.
    marks: u64,
}

/// How many calls are made before those that count.
const WARM_UP: u32 = 200;

/// Counts, and prints a line for reports that are made and one for reports that are refused.
pub(crate) fn run(options: &Options) -> Result<()> {
    let emulation = Emulation::find()
        .context("instructions are counted by the emulation (control=on of the QEMU plugin)")?;
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).context("cannot stay on one vCPU")?;
    let device = Device::open(&options.device)?;

    let mut marks = sample(&emulation, options.calls, || Ok(()))?;
    marks.sort_unstable();
    let marks = median(&marks);
    for path in ["success", "error"] {
        let made = path == "success";
        if !made {
            emulation.refuse_reports(Status::operand_invalid(OperandId::RCX), None);
        }
        // The request is the same for all calls, so that what is around the system call costs next to nothing.
        let mut request = TdxReportReq {
            reportdata: [0x5c; 64],
            tdreport: [0; 1024],
        };
        let mut call = || {
            let result = device.get_report_into(&mut request);
            ensure!(
                result.is_ok() == made,
                "the call to be counted on {path} gave {result:?}"
            );
            Ok(())
        };
        (0..WARM_UP).try_for_each(|_| call())?;
        let mut counts = sample(&emulation, options.calls, call)?;
        emulation.mend();
        counts.sort_unstable();
        let median = median(&counts);
        let identical = counts.iter().filter(|&&count| count == median).count();
        super::print(&Counts {
            bench: "count",
            device: &options.device,
            path,
            calls: counts.len(),
            median: median.saturating_sub(marks),
            min: counts[0].saturating_sub(marks),
            max: counts[counts.len() - 1].saturating_sub(marks),
            identical: identical as f64 / counts.len() as f64,
            marks,
        })?;
    }
    Ok(())
}

/// The instructions from one mark to the next with `call` in between, `calls` times.
fn sample(
    emulation: &Emulation,
    calls: u32,
    mut call: impl FnMut() -> Result<()>,
) -> Result<Vec<u64>> {
    (0..calls)
        .map(|_| {
            let (before, vcpu) = emulation.instructions();
            call()?;
            let (after, vcpu_after) = emulation.instructions();
            if vcpu != vcpu_after {
                bail!("moved from vCPU {vcpu} to {vcpu_after}, although it is to stay on one");
            }
            Ok(after - before)
        })
        .collect()
}

fn median(sorted: &[u64]) -> u64 {
    sorted[sorted.len() / 2]
}
