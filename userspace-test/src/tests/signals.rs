// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Signals that come while a report is made.

use super::concurrency::at_once;
use super::nodes;
use super::pointers::{assert_works, for_each_node};
use super::refused::BUSY;
use crate::device::{assert_carries, random_reportdata, Device};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::module;
use crate::options::{Driver, Options};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{kill, sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::time::TimeVal;
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{fork, ForkResult};
use std::process;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

pub(super) const TESTS: &[Test] = &[
    test!(give_success_or_eintr_and_no_other_report),
    test!(during_slow_reports_give_success_or_eintr),
    test!(end_the_wait_for_a_busy_module).only(&[Driver::Rust]),
    test!(that_kill_leave_nothing_open),
    test!(that_kill_end_the_wait_for_a_busy_module).only(&[Driver::Rust]),
];

extern "C" fn ignore(_: nix::libc::c_int) {}

/// Has SIGALRM interrupt system calls, and do nothing else.
pub(super) fn catch_alarms() -> Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(ignore),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: The handler does nothing.
    unsafe { sigaction(Signal::SIGALRM, &action) }.context("sigaction")?;
    Ok(())
}

/// Sends SIGALRM after `interval`, and again after each further.
pub(super) fn alarm_every(interval: Duration) -> Result<()> {
    let interval = TimeVal::new(
        interval.as_secs().try_into()?,
        interval.subsec_micros().into(),
    );
    let timer = nix::libc::itimerval {
        it_interval: *interval.as_ref(),
        it_value: *interval.as_ref(),
    };
    // SAFETY: The timer is a valid structure, and the old one is not asked for.
    let result =
        unsafe { nix::libc::setitimer(nix::libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
    Errno::result(result).context("setitimer")?;
    Ok(())
}

/// Asks for `count` reports, and returns how many were made and how many calls were interrupted.
fn served_and_interrupted(device: &Device, count: u32) -> Result<(u32, u32)> {
    let (mut served, mut interrupted) = (0, 0);
    let mut reportdata = random_reportdata()?;
    for round in 0..count {
        reportdata[..4].copy_from_slice(&round.to_le_bytes());
        match device.get_report(&reportdata) {
            Ok(report) => {
                assert_carries(&report, &reportdata);
                served += 1;
            }
            Err(Errno::EINTR) => interrupted += 1,
            Err(other) => panic!("neither success nor EINTR: {other}"),
        }
    }
    println!("{served} served, {interrupted} interrupted");
    Ok((served, interrupted))
}

fn give_success_or_eintr_and_no_other_report(options: &Options) -> Result<()> {
    catch_alarms()?;
    alarm_every(Duration::from_micros(200))?;
    for_each_node(options, |device| {
        let (served, _) = served_and_interrupted(device, 3000)?;
        assert_ne!(served, 0, "no call is ever served while signals come");
        Ok(())
    })?;
    alarm_every(Duration::ZERO)
}

fn during_slow_reports_give_success_or_eintr(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    emulation.slow_down(Duration::from_millis(20));
    catch_alarms()?;
    alarm_every(Duration::from_millis(7))?;
    for node in nodes::of(options.driver) {
        // Some call, and some wait for those that do where the driver makes them.
        at_once(4, |_| {
            served_and_interrupted(&Device::open(node)?, 20).map(drop)
        })?;
    }
    alarm_every(Duration::ZERO)
}

fn end_the_wait_for_a_busy_module(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    catch_alarms()?;
    for_each_node(options, |device| {
        emulation.refuse_reports(BUSY, None);
        alarm_every(Duration::from_millis(50))?;
        let begin = Instant::now();
        let result = device.get_report(&[1; 64]);
        let time = begin.elapsed();
        alarm_every(Duration::ZERO)?;
        assert_eq!(result, Err(Errno::EINTR), "after {time:?}");
        assert!(
            time < Duration::from_secs(2),
            "a signal took {time:?} to end the call"
        );
        emulation.mend();
        Ok(())
    })
}

/// Lets a child process with `node` open ask for reports in eight threads, kills it, and asserts that it goes at once and
/// takes its use of the driver with it.
fn kill_asking_child(node: &str) -> Result<()> {
    let before = module::references()?.context("no driver is loaded as a module")?;
    // SAFETY: This process has one thread.
    let child = match unsafe { fork() }? {
        ForkResult::Child => {
            let device = Device::open(node).expect("the node can be opened");
            let ask = || loop {
                let _ = device.get_report(&[0; 64]);
            };
            thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(ask))));
            process::exit(1)
        }
        ForkResult::Parent { child } => child,
    };
    sleep(Duration::from_millis(200));
    let in_use = module::references()?.context("the driver has gone")?;
    assert_eq!(in_use, before + 1, "the child has {node} open");
    kill(child, Signal::SIGKILL)?;
    let begin = Instant::now();
    assert!(matches!(
        waitpid(child, None)?,
        WaitStatus::Signaled(_, Signal::SIGKILL, _)
    ));
    let time = begin.elapsed();
    assert!(
        time < Duration::from_secs(5),
        "a killed process stayed for {time:?}"
    );
    assert_eq!(module::references()?, Some(before), "{node} is still open");
    Ok(())
}

fn that_kill_leave_nothing_open(options: &Options) -> Result<()> {
    for node in nodes::of(options.driver) {
        kill_asking_child(node)?;
        assert_works(&Device::open(node)?)?;
    }
    Ok(())
}

fn that_kill_end_the_wait_for_a_busy_module(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for node in nodes::of(options.driver) {
        emulation.refuse_reports(BUSY, None);
        kill_asking_child(node)?;
        emulation.mend();
        assert_works(&Device::open(node)?)?;
    }
    Ok(())
}
