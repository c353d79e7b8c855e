// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Requests whose memory is taken away while the driver copies, or makes it wait.

use super::pointers::{assert_works, for_each_node};
use crate::device::{assert_carries, random_reportdata, Device, LINUX_NODE, NODE};
use crate::harness::{test, Test};
use crate::memory::{Pages, PAGE};
use crate::options::{Driver, Options};
use crate::userfault::Userfault;
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub(super) const TESTS: &[Test] = &[
    test!(are_efault_if_reportdata_is_unmapped_meanwhile),
    test!(are_efault_if_the_report_is_unmapped_meanwhile),
    test!(succeed_if_the_memory_comes_at_last),
    test!(hold_nobody_up).only(&[Driver::Rust]),
    test!(of_memory_that_comes_and_goes_succeed_or_are_efault),
];

/// A request that lies across two pages, REPORTDATA on the first and the report on the second. The driver's copy waits
/// on `stalled_page`; `meanwhile` is called then. Returns what came of the request.
pub(super) fn stall<'a>(
    device: &Device,
    pages: &'a Pages,
    stalled_page: usize,
    meanwhile: impl FnOnce(&Userfault<'a>) -> Result<()>,
) -> Result<nix::Result<()>> {
    let fault = Userfault::on(pages, stalled_page)?;
    thread::scope(|scope| {
        let call = scope.spawn(|| device.get_report_at(pages.at(PAGE - 64)));
        fault.wait()?;
        assert!(
            !call.is_finished(),
            "the call ended although its memory is missing"
        );
        // If this fails, the process ends with the thread still waiting: there is no one left to serve the fault.
        meanwhile(&fault).unwrap_or_else(|error| {
            eprintln!("{error:?}");
            std::process::exit(1)
        });
        Ok(call.join().expect("the call does not panic"))
    })
}

fn are_efault_if_reportdata_is_unmapped_meanwhile(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        let result = stall(device, &pages, 0, Userfault::take_away)?;
        assert_eq!(result, Err(Errno::EFAULT));
        assert!(
            pages.read(PAGE, PAGE)? == [0; PAGE],
            "a report without REPORTDATA was written"
        );
        Ok(())
    })
}

fn are_efault_if_the_report_is_unmapped_meanwhile(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        let result = stall(device, &pages, 1, Userfault::take_away)?;
        assert_eq!(result, Err(Errno::EFAULT));
        Ok(())
    })
}

fn succeed_if_the_memory_comes_at_last(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let reportdata = random_reportdata()?;
        let pages = Pages::new(2)?;
        pages.write(PAGE - 64, &reportdata)?;
        stall(device, &pages, 1, Userfault::fill)??;
        assert_carries(&pages.read(PAGE, 1024)?, &reportdata);

        // The page that comes for REPORTDATA is of zeros.
        let pages = Pages::new(2)?;
        stall(device, &pages, 0, Userfault::fill)??;
        assert_carries(&pages.read(PAGE, 1024)?, &[0; 64]);
        Ok(())
    })
}

fn hold_nobody_up(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for stalled_page in [0, 1] {
            let pages = Pages::new(2)?;
            stall(device, &pages, stalled_page, |fault| {
                // A driver that holds a lock across the copy hangs here, and the time limit ends the test.
                for node in [NODE, LINUX_NODE] {
                    assert_works(&Device::open(node)?).context("another opener")?;
                }
                assert_works(device).context("the same open file")?;
                fault.fill()
            })??;
        }
        Ok(())
    })
}

fn of_memory_that_comes_and_goes_succeed_or_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        let stop = AtomicBool::new(false);
        let (mut served, mut refused) = (0, 0);
        thread::scope(|scope| {
            let unmapper = scope.spawn(|| -> Result<()> {
                while !stop.load(Ordering::Relaxed) {
                    pages.unmap(1)?;
                    thread::yield_now();
                    pages.map_again(1)?;
                    thread::yield_now();
                }
                Ok(())
            });
            // Until both have been seen often: the time limit says when they never are.
            while (served < 200 || refused < 200) && !unmapper.is_finished() {
                match device.get_report_at(pages.at(PAGE - 300)) {
                    Ok(()) => served += 1,
                    Err(Errno::EFAULT) => refused += 1,
                    Err(other) => panic!("neither success nor EFAULT: {other}"),
                }
            }
            stop.store(true, Ordering::Relaxed);
            unmapper
                .join()
                .expect("the unmapping thread does not panic")
        })?;
        println!("{served} served, {refused} refused");
        Ok(())
    })
}
