// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Signals that come while a report is made.

use super::nodes;
use super::pointers::assert_works;
use crate::device::{random_reportdata, Device};
use crate::harness::{test, Test};
use crate::module;
use crate::options::Options;
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
    test!(that_kill_leave_nothing_open),
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

fn give_success_or_eintr_and_no_other_report(options: &Options) -> Result<()> {
    catch_alarms()?;
    alarm_every(Duration::from_micros(200))?;
    for node in nodes::of(options.driver) {
        let device = Device::open(node)?;
        let (mut served, mut interrupted) = (0, 0);
        for round in 0_u32..3000 {
            let mut reportdata = [0x77; 64];
            reportdata[..4].copy_from_slice(&round.to_le_bytes());
            match device.get_report(&reportdata) {
                Ok(report) => {
                    assert_eq!(report[128..192], reportdata);
                    served += 1;
                }
                Err(Errno::EINTR) => interrupted += 1,
                Err(other) => panic!("neither success nor EINTR: {other}"),
            }
        }
        println!("{node}: {served} served, {interrupted} interrupted");
        assert_ne!(served, 0, "no call is ever served while signals come");
    }
    alarm_every(Duration::ZERO)
}

fn that_kill_leave_nothing_open(options: &Options) -> Result<()> {
    let before = module::references()?.context("no driver is loaded as a module")?;
    for node in nodes::of(options.driver) {
        // SAFETY: This process has one thread.
        let child = match unsafe { fork() }? {
            ForkResult::Child => {
                let device = Device::open(node).expect("the node can be opened");
                thread::scope(|scope| {
                    for _ in 0..8 {
                        scope.spawn(|| loop {
                            let _ = device.get_report(&[0; 64]);
                        });
                    }
                });
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
        let reportdata = random_reportdata()?;
        let device = Device::open(node)?;
        assert_eq!(device.get_report(&reportdata)?[128..192], reportdata);
        assert_works(&device)?;
    }
    Ok(())
}
