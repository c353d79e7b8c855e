// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where Linux's driver in C falls short, a test for each weakness. It is known to fail all but the last; ours passes.
//!
//! Each begins with a driver that was just loaded, because some leave the one in C unable to make Quotes.

use super::hostile::buffers;
use super::quotes::assert_carries;
use super::signals::{alarm_every, catch_alarms};
use super::stalled_copies::stall;
use crate::device::{random_reportdata, Device, LINUX_NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::memory::Pages;
use crate::module::Module;
use crate::options::{Driver, Options};
use crate::tsm;
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tdx_call::{OperandId, Status, Vmcall, VmcallStatus};
use tdx_module::QuoteBehaviour;

pub(super) const TESTS: &[Test] = &[
    test!(_1_a_timeout_is_etimedout).c_fails("left: Err(EIO)"),
    test!(_1_a_quote_of_the_last_moment_is_no_timeout)
        .c_fails("ETIMEDOUT")
        .slow(2),
    test!(_2_a_quote_is_there_when_the_host_has_made_it).c_fails("the fastest took 1."),
    test!(_3_a_signal_is_no_timeout_in_the_log).c_fails("GetQuote request timedout"),
    test!(_4_a_status_that_changes_is_read_once).c_fails("left: None"),
    test!(_5_a_request_that_is_not_marked_is_not_taken_for_answered).c_fails("a Quote of 0 bytes"),
    test!(_6_a_call_that_is_to_be_repeated_is_repeated).c_fails("EIO"),
    test!(_6_a_call_that_is_not_supported_is_eopnotsupp).c_fails("left: Err(EIO)"),
    test!(_7_a_request_that_is_never_answered_is_in_nobodys_way).c_fails("EBUSY"),
    test!(_8_a_quote_for_other_reportdata_is_refused).c_fails("left: Ok("),
    test!(_9_a_stalled_copy_holds_up_no_quote).c_fails("waited for somebody else's copy"),
    test!(_10_a_busy_module_is_asked_again_and_nothing_is_logged).c_fails("EBUSY"),
    test!(_11_memory_of_which_nobody_knows_the_state_is_kept)
        .only(&[Driver::Rust])
        .kernel_warns(),
];

/// How many buffers for Quotes our driver has at most.
const BUFFERS: usize = 16;

/// How long each driver waits for a Quote here: ours is told, the other cannot be.
fn timeout(options: &Options) -> Duration {
    Duration::from_secs(match options.driver {
        Driver::Rust => 2,
        Driver::C | Driver::None => 30,
    })
}

/// Loads the driver anew, with that time, and finds the emulation.
fn begin(options: &Options) -> Result<Emulation> {
    let emulation = Emulation::required()?;
    // The driver in C does not know the parameter, which the kernel notes and ignores.
    Module::find(options)?.reload_with(c"quote_timeout_ms=2000")?;
    Ok(emulation)
}

fn _1_a_timeout_is_etimedout(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    emulation.answer_quotes(QuoteBehaviour::Never);
    let begin = Instant::now();
    assert_eq!(tsm::quote(&[1; 64])?, Err(Errno::ETIMEDOUT));
    let time = begin.elapsed();
    assert!(
        time > timeout(options) && time < timeout(options) + Duration::from_secs(2),
        "after {time:?}"
    );
    Ok(())
}

/// The moment is found by waiting in vain first: the driver in C counts its naps, not the time. It is within the last of
/// these, which takes a second, and long enough for a machine that is busy with other things.
fn _1_a_quote_of_the_last_moment_is_no_timeout(options: &Options) -> Result<()> {
    const LAST_MOMENT: Duration = Duration::from_millis(400);
    let emulation = begin(options)?;
    emulation.answer_quotes(QuoteBehaviour::Never);
    let begun = Instant::now();
    assert!(tsm::quote(&[1; 64])?.is_err(), "nobody has made a Quote");
    let timeout = begun.elapsed();

    let emulation = begin(options)?;
    emulation.slow_quotes_down(timeout.saturating_sub(LAST_MOMENT));
    assert_carries(&tsm::quote(&[1; 64])??, &[1; 64]);
    Ok(())
}

fn _2_a_quote_is_there_when_the_host_has_made_it(options: &Options) -> Result<()> {
    const SERVICE: Duration = Duration::from_millis(50);
    let emulation = begin(options)?;
    emulation.slow_quotes_down(SERVICE);
    let mut times = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        tsm::quote(&random_reportdata()?)??;
        times.push(begin.elapsed());
    }
    println!("{times:?}");
    times.sort();
    assert!(times[0] >= SERVICE, "the emulation did not slow down");
    // One of them, because the machine under the TD may be busy with other things.
    assert!(times[0] < SERVICE * 4, "the fastest took {:?}", times[0]);
    Ok(())
}

fn _3_a_signal_is_no_timeout_in_the_log(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    emulation.answer_quotes(QuoteBehaviour::Never);
    let mut log = KernelLog::open()?;
    interrupted_quote()?;
    let lines = log.lines()?;
    assert!(
        !lines.iter().any(|line| line.contains("time")),
        "the log says {lines:?}"
    );
    Ok(())
}

/// Asks for a Quote and asserts that a signal ends that.
fn interrupted_quote() -> Result<()> {
    let entry = tsm::Entry::new()?;
    entry.set_inblob(&[3; 64])?;
    catch_alarms()?;
    alarm_every(Duration::from_millis(300))?;
    let result = entry.outblob();
    alarm_every(Duration::ZERO)?;
    assert_eq!(result, Err(Errno::EINTR));
    Ok(())
}

fn _4_a_status_that_changes_is_read_once(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    for _ in 0..30 {
        emulation.answer_quotes(QuoteBehaviour::Changing);
        let reportdata = random_reportdata()?;
        // Either the answer is refused, or it is one.
        if let Ok(quote) = tsm::quote(&reportdata)? {
            assert_eq!(
                tdx_uapi::quote_reportdata(&quote),
                Some(&reportdata),
                "{} bytes",
                quote.len()
            );
        }
    }
    Ok(())
}

fn _5_a_request_that_is_not_marked_is_not_taken_for_answered(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    emulation.answer_quotes(QuoteBehaviour::Unmarked);
    emulation.slow_quotes_down(Duration::from_millis(100));
    assert_carries(&tsm::quote(&[5; 64])??, &[5; 64]);
    Ok(())
}

fn _6_a_call_that_is_to_be_repeated_is_repeated(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    emulation.refuse_calls(Vmcall::GET_QUOTE, VmcallStatus::RETRY, Some(5));
    let before = emulation.quote_requests();
    assert_carries(&tsm::quote(&[6; 64])??, &[6; 64]);
    assert_eq!(emulation.quote_requests() - before, 1);
    Ok(())
}

fn _6_a_call_that_is_not_supported_is_eopnotsupp(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    let unsupported = VmcallStatus::SUBFUNC_UNSUPPORTED;
    emulation.refuse_calls(Vmcall::GET_QUOTE, unsupported, None);
    assert_eq!(tsm::quote(&[6; 64])?, Err(Errno::EOPNOTSUPP));
    Ok(())
}

fn _7_a_request_that_is_never_answered_is_in_nobodys_way(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    for _ in 0..3 {
        emulation.answer_quotes(QuoteBehaviour::Never);
        interrupted_quote()?;
        emulation.answer_quotes(QuoteBehaviour::Honest);
        assert_carries(&tsm::quote(&[7; 64])??, &[7; 64]);
    }
    Ok(())
}

fn _8_a_quote_for_other_reportdata_is_refused(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    emulation.answer_quotes(QuoteBehaviour::OtherReportData);
    assert_eq!(tsm::quote(&[8; 64])?, Err(Errno::EBADMSG));
    Ok(())
}

fn _9_a_stalled_copy_holds_up_no_quote(options: &Options) -> Result<()> {
    begin(options)?;
    let device = Device::open(LINUX_NODE)?;
    for stalled_page in [0, 1] {
        let pages = Pages::new(2)?;
        let mut in_time = false;
        stall(&device, &pages, stalled_page, |fault| {
            let (done, wait) = mpsc::channel();
            let asker = thread::spawn(move || {
                let result = tsm::quote(&[9; 64]);
                // Nobody may be waiting any more.
                let _ = done.send(());
                result
            });
            in_time = wait.recv_timeout(Duration::from_secs(5)).is_ok();
            fault.fill()?;
            let quote = asker.join().expect("asking does not panic")??;
            assert_carries(&quote, &[9; 64]);
            Ok(())
        })??;
        assert!(in_time, "the Quote waited for somebody else's copy");
    }
    Ok(())
}

fn _10_a_busy_module_is_asked_again_and_nothing_is_logged(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    let busy = Status::operand_busy(OperandId::RTMR);
    let mut log = KernelLog::open()?;
    emulation.refuse_reports(busy, Some(2));
    let device = Device::open(LINUX_NODE)?;
    assert_eq!(device.get_report(&[10; 64])?[128..192], [10; 64]);
    emulation.refuse_reports(busy, Some(2));
    assert_carries(&tsm::quote(&[10; 64])??, &[10; 64]);
    let lines = log.lines()?;
    assert!(lines.is_empty(), "the log says {lines:?}");
    Ok(())
}

/// The driver in C does that, too, but only at its load, and nobody can see it.
fn _11_memory_of_which_nobody_knows_the_state_is_kept(options: &Options) -> Result<()> {
    let emulation = begin(options)?;
    crate::module::unload_when_unused()?;
    emulation.refuse_calls(Vmcall::MAP_GPA, VmcallStatus::INVALID_OPERAND, None);
    // The driver wants a first buffer when it is loaded, does without, and wants it again for a Quote.
    Module::find(options)?.ensure_loaded()?;
    let device = Device::open(LINUX_NODE)?;
    assert_eq!(buffers(&device)?, [0, 0, 1]);
    assert_eq!(tsm::quote(&[11; 64])?, Err(Errno::ENOMEM));
    assert_eq!(buffers(&device)?, [0, 0, 2]);
    emulation.mend();
    assert_carries(&tsm::quote(&[11; 64])??, &[11; 64]);
    assert_eq!(buffers(&device)?, [1, 0, 2]);
    // Taking back fails, too: the memory is kept, and the driver goes.
    emulation.refuse_calls(Vmcall::MAP_GPA, VmcallStatus::INVALID_OPERAND, None);
    drop(device);
    crate::module::unload_when_unused().context("with memory that cannot be taken back")?;
    emulation.mend();
    Module::find(options)?.ensure_loaded()?;
    assert_carries(&tsm::quote(&[11; 64])??, &[11; 64]);

    // As many as there may be are lost: there is none to wait for, whatever the host does then.
    crate::module::unload_when_unused()?;
    emulation.refuse_calls(Vmcall::MAP_GPA, VmcallStatus::INVALID_OPERAND, None);
    Module::find(options)?.ensure_loaded()?;
    let device = Device::open(LINUX_NODE)?;
    for lost in 1..=BUFFERS {
        assert_eq!(buffers(&device)?, [0, 0, lost]);
        let quote = tsm::quote(&[11; 64])?;
        assert_eq!(quote, Err(Errno::ENOMEM), "{lost} are lost");
    }
    emulation.mend();
    assert_eq!(tsm::quote(&[11; 64])?, Err(Errno::ENOMEM));
    drop(device);
    crate::module::unload_when_unused()?;
    Module::find(options)?.ensure_loaded()?;
    assert_carries(&tsm::quote(&[11; 64])??, &[11; 64]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What docs/weaknesses.md says of each test: its name, and the words that the driver in C fails it with.
    fn documented() -> Vec<(String, Option<String>)> {
        let rows = include_str!("../../../docs/weaknesses.md").lines();
        let quoted = |cell: &str| Some(cell.split('`').nth(1)?.replace("\\|", "|"));
        rows.filter_map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let [_, test, on_c, here] = cells[..] else {
                return None;
            };
            let test = quoted(test)?;
            assert_eq!(here, "passes |", "{test}");
            Some((test, quoted(on_c)))
        })
        .collect()
    }

    #[test]
    fn documentation_has_them_all_with_what_becomes_of_them() {
        let names = |test: &Test| {
            let (_, name) = test.name().split_once("weaknesses::").expect("a group");
            (name.to_owned(), test.c_failure().map(str::to_owned))
        };
        assert_eq!(documented(), TESTS.iter().map(names).collect::<Vec<_>>());
    }
}
