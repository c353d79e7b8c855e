// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Many callers at once.

use super::nodes;
use crate::device::{assert_carries, random_reportdata, request_1_0, Device, NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Skip, Test};
use crate::memory::Pages;
use crate::options::{Driver, Options};
use crate::report::sha384;
use anyhow::{bail, Result};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use tdx_uapi::TdReport;

pub(super) const TESTS: &[Test] = &[
    test!(sixty_four_openers_get_the_report_that_they_asked_for),
    test!(threads_on_one_open_file_get_the_report_that_they_asked_for),
    test!(the_two_forms_do_not_disturb_each_other).only(&[Driver::Rust]),
    test!(slow_reports_are_made_side_by_side).only(&[Driver::Rust]),
];

/// Has the device make `count` reports, each for other REPORTDATA, and checks them.
fn ask(device: &Device, count: u32) -> Result<()> {
    let mut reportdata = random_reportdata()?;
    for round in 0..count {
        reportdata[..4].copy_from_slice(&round.to_le_bytes());
        let report = device.get_report(&reportdata)?;
        assert_carries(&report, &reportdata);
        // Hashing takes longer than the call: now and then is enough to see that reports are whole.
        if round % 16 == 0 {
            TdReport::parse(&report)?.check_hashes(sha384)?;
        }
    }
    Ok(())
}

/// Runs `each` in `count` threads that begin at the same moment, and hands it the thread's number.
pub(super) fn at_once(count: usize, each: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (barrier, each) = (&barrier, &each);
                scope.spawn(move || {
                    barrier.wait();
                    each(number)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread panicked"))
    })
}

fn sixty_four_openers_get_the_report_that_they_asked_for(options: &Options) -> Result<()> {
    let nodes = nodes::of(options.driver);
    at_once(64, |number| {
        ask(&Device::open(nodes[number % nodes.len()])?, 100)
    })
}

fn threads_on_one_open_file_get_the_report_that_they_asked_for(options: &Options) -> Result<()> {
    for node in nodes::of(options.driver) {
        let device = Device::open(node)?;
        at_once(2, |_| ask(&device, 1500))?;
        at_once(16, |_| ask(&device, 100))?;
    }
    Ok(())
}

fn the_two_forms_do_not_disturb_each_other(_: &Options) -> Result<()> {
    let device = Device::open(NODE)?;
    at_once(8, |number| {
        if number % 2 == 0 {
            return ask(&device, 400);
        }
        let pages = Pages::new(1)?;
        let request = request_1_0(pages.at(1024), pages.at(2048));
        for _ in 0..400 {
            let reportdata = random_reportdata()?;
            pages.write(1024, &reportdata)?;
            device.get_report_1_0(&pages, 0, &request)??;
            assert_carries(&pages.read(2048, 1024)?, &reportdata);
        }
        Ok(())
    })
}

fn slow_reports_are_made_side_by_side(_: &Options) -> Result<()> {
    const REPORTS: u32 = 5;
    const TIME: Duration = Duration::from_millis(50);
    let emulation = Emulation::required()?;
    let threads = thread::available_parallelism()?.get().min(4);
    if threads < 2 {
        bail!(Skip("there is one vCPU".into()));
    }
    let one_alone = TIME * REPORTS;
    // If they wait for each other, it takes as many times as long as one alone.
    let limit = one_alone.mul_f64(0.7 * threads as f64);
    let shared = Device::open(NODE)?;
    emulation.slow_down(TIME);
    let time = |share| -> Result<Duration> {
        let begin = Instant::now();
        at_once(threads, |_| {
            let own = Device::open(NODE)?;
            ask(if share { &shared } else { &own }, REPORTS)
        })?;
        let time = begin.elapsed();
        println!("{threads} threads, sharing a file {share}: {time:?}, one alone {one_alone:?}");
        assert!(time >= one_alone, "the emulation did not slow down");
        Ok(time)
    };
    for share in [false, true] {
        // A busy host has no time for all vCPUs at once every time. If they wait for each other, more attempts do not help.
        let mut attempts = 10;
        while time(share)? >= limit {
            attempts -= 1;
            assert_ne!(attempts, 0, "reports are made one after the other");
        }
    }
    Ok(())
}
