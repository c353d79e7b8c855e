// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A host that answers badly: every time there is the error that the documentation promises, and the next honest answer
//! is taken.

use super::concurrency::at_once;
use super::quotes::assert_carries;
use crate::device::{random_reportdata, Device, NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::module::Module;
use crate::options::{Driver, Options};
use crate::quote::{message, quote, Request};
use crate::tsm;
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::fs;
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tdx_call::{Vmcall, VmcallStatus};
use tdx_module::QuoteBehaviour;
use tdx_uapi::ioctl::TDX_CMD_GET_QUOTE;
use tdx_uapi::{quote_reportdata, QuoteStatus, TDREPORT_LEN};

pub(super) const TESTS: &[Test] = &[
    test!(answers_that_are_none_are_errors).only(&[Driver::Rust]),
    test!(statuses_reach_the_caller_of_the_ioctl_and_are_eio_in_configfs).only(&[Driver::Rust]),
    test!(statuses_are_told_apart_in_the_log).only(&[Driver::Rust]),
    test!(refusals_of_the_call_are_errors).only(&[Driver::Rust]),
    test!(answers_that_change_while_they_are_read_do_no_harm)
        .only(&[Driver::Rust])
        .slow(5),
    test!(answers_that_claim_more_than_there_is_end_in_nothing_of_others)
        .only(&[Driver::Rust])
        .slow(5),
    test!(silence_is_etimedout_and_costs_a_buffer_only).only(&[Driver::Rust]),
    test!(silence_sixteen_times_is_ebusy_until_the_driver_is_loaded_anew).only(&[Driver::Rust]),
    test!(late_answers_bring_the_buffers_back).only(&[Driver::Rust]),
    test!(memory_that_cannot_be_shared_any_more_leaves_the_first_buffer).only(&[Driver::Rust]),
    test!(memory_that_cannot_be_shared_has_requests_wait_for_each_other)
        .only(&[Driver::Rust])
        .kernel_warns(),
];

/// How often a host that changes its answers is asked, at most, until one has changed while the driver looks at it. Where
/// there is one vCPU, or a slow kernel, that is seldom: it is done changing when the driver wakes up.
const CHANGES: u32 = 3000;

/// Asserts that an honest host is served as ever.
fn assert_works(emulation: &Emulation) -> Result<()> {
    emulation.answer_quotes(QuoteBehaviour::Honest);
    let reportdata = random_reportdata()?;
    assert_carries(&quote(&Device::open(NODE)?, &reportdata)??, &reportdata);
    assert_carries(&tsm::quote(&reportdata)??, &reportdata);
    Ok(())
}

/// The numbers of buffers: all, those that the host has not answered, and those that are lost.
pub(super) fn buffers(device: &Device) -> Result<[usize; 3]> {
    let path = format!("/proc/self/fdinfo/{}", device.file().as_raw_fd());
    let text = fs::read_to_string(path)?;
    let number = |name: &str| -> Result<usize> {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value
            .with_context(|| format!("no {name} in {text}"))?
            .trim()
            .parse()?)
    };
    Ok([
        number("quote-buffers")?,
        number("quote-buffers-unanswered")?,
        number("quote-buffers-lost")?,
    ])
}

fn answers_that_are_none_are_errors(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    for (behaviour, errno) in [
        (QuoteBehaviour::Huge, Errno::EFBIG),
        (QuoteBehaviour::Empty, Errno::EBADMSG),
        (QuoteBehaviour::OtherReportData, Errno::EBADMSG),
    ] {
        for _ in 0..20 {
            emulation.answer_quotes(behaviour);
            assert_eq!(quote(&device, &[1; 64])?, Err(errno), "{behaviour:?}");
            assert_eq!(tsm::quote(&[1; 64])?, Err(errno), "{behaviour:?}");
        }
        assert_works(&emulation)?;
    }
    Ok(())
}

/// The statuses that the host can answer with, and the words of the log about them.
const STATUSES: [(QuoteBehaviour, u64, &str); 3] = [
    (
        QuoteBehaviour::Error,
        QuoteStatus::ERROR.0,
        "GET_QUOTE_ERROR",
    ),
    (
        QuoteBehaviour::Unavailable,
        QuoteStatus::SERVICE_UNAVAILABLE.0,
        "GET_QUOTE_SERVICE_UNAVAILABLE",
    ),
    (
        QuoteBehaviour::UnknownStatus,
        0x1234_5678_9abc_def0,
        "0x123456789abcdef0",
    ),
];

fn statuses_reach_the_caller_of_the_ioctl_and_are_eio_in_configfs(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    for (behaviour, status, _) in STATUSES {
        emulation.answer_quotes(behaviour);
        let request = Request::new(device.get_report(&[2; 64])?.to_vec())?;
        let (header, data) = request.send(&device, TDX_CMD_GET_QUOTE)??;
        assert_eq!((header.status, data.len()), (status, 0));
        assert_eq!(tsm::quote(&[2; 64])?, Err(Errno::EIO), "{behaviour:?}");
        assert_works(&emulation)?;
    }
    Ok(())
}

fn statuses_are_told_apart_in_the_log(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    // What was said before may have used up what may be said.
    sleep(Duration::from_secs(6));
    for (behaviour, _, words) in STATUSES {
        let mut log = KernelLog::open()?;
        emulation.answer_quotes(behaviour);
        assert_eq!(tsm::quote(&[2; 64])?, Err(Errno::EIO));
        let lines = log.lines()?;
        assert!(
            lines
                .iter()
                .any(|line| line.contains("tdx_guest") && line.contains(words)),
            "{behaviour:?}: the log says only {lines:?}"
        );
    }
    Ok(())
}

fn refusals_of_the_call_are_errors(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    for (status, errno) in [
        (VmcallStatus::INVALID_OPERAND, Errno::EIO),
        (VmcallStatus::GPA_INUSE, Errno::EIO),
        (VmcallStatus::ALIGN_ERROR, Errno::EIO),
        (VmcallStatus::SUBFUNC_UNSUPPORTED, Errno::EOPNOTSUPP),
        (VmcallStatus(2), Errno::EIO),
        (VmcallStatus(u64::MAX), Errno::EIO),
    ] {
        emulation.refuse_calls(Vmcall::GET_QUOTE, status, None);
        assert_eq!(quote(&device, &[3; 64])?, Err(errno), "{status}");
        assert_eq!(tsm::quote(&[3; 64])?, Err(errno), "{status}");
        emulation.mend();
        assert_works(&emulation)?;
    }
    assert_eq!(buffers(&device)?[1..], [0, 0]);
    Ok(())
}

fn answers_that_change_while_they_are_read_do_no_harm(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    let mut outcomes = Vec::new();
    for round in 0..CHANGES {
        if round >= 60 && outcomes.len() > 1 {
            break;
        }
        let reportdata = random_reportdata()?;
        emulation.answer_quotes(QuoteBehaviour::Changing);
        let request = Request::new(device.get_report(&reportdata)?.to_vec())?;
        let outcome = match request.send(&device, TDX_CMD_GET_QUOTE)? {
            Ok((header, data)) if header.status == 0 => {
                // It may be torn, which is for a verifier to see, but it is about what was asked for.
                assert_eq!(quote_reportdata(&data), Some(&reportdata));
                assert_eq!(data.len(), header.out_len as usize);
                "a Quote".to_owned()
            }
            Ok((header, data)) => {
                assert_eq!(data.len(), 0);
                format!("status {:#x}", header.status)
            }
            Err(error @ (Errno::EBADMSG | Errno::EFBIG)) => error.to_string(),
            Err(other) => panic!("round {round}: {other}"),
        };
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    println!("{outcomes:?}");
    assert!(outcomes.len() > 1, "nothing ever changed: {outcomes:?}");
    assert_works(&emulation)
}

/// The other's request is longer than what the host claims, and the next one is made in the same memory.
fn answers_that_claim_more_than_there_is_end_in_nothing_of_others(options: &Options) -> Result<()> {
    const OTHERS: u8 = 0xa5;
    let emulation = Emulation::required()?;
    Module::find(options)?.reload_with(c"")?;
    let device = Device::open(NODE)?;
    // A message of a kind that the driver does not know: it takes any answer.
    let mut data = message(&[0; TDREPORT_LEN]);
    data[8] = 99;
    let request = Request::new(data.clone())?;
    let others = Request::new([data, vec![OTHERS; 8000]].concat())?;

    let mut answers = (0..CHANGES).map(|_| -> Result<Vec<u8>> {
        emulation.answer_quotes(QuoteBehaviour::Honest);
        // What becomes of it does not matter: the host may still be changing the answer before.
        let _ = others.send(&device, TDX_CMD_GET_QUOTE)?;
        emulation.answer_quotes(QuoteBehaviour::Changing);
        let answer = request.send(&device, TDX_CMD_GET_QUOTE)?;
        Ok(answer.map_or_else(|_| Vec::new(), |(_, data)| data))
    });
    let len = request.data.len();
    let claim = answers
        .find(|answer| !matches!(answer, Ok(answer) if answer.len() <= len))
        .context("no answer claimed more than there was")??;
    assert!(
        !claim[len..].contains(&OTHERS),
        "it ends in another's request"
    );
    assert_works(&emulation)
}

fn silence_is_etimedout_and_costs_a_buffer_only(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let module = Module::find(options)?;
    module.reload_with(c"quote_timeout_ms=200")?;
    let device = Device::open(NODE)?;
    emulation.answer_quotes(QuoteBehaviour::Never);
    for silent in 1..=3 {
        emulation.answer_quotes(QuoteBehaviour::Never);
        let begin = Instant::now();
        assert_eq!(quote(&device, &[4; 64])?, Err(Errno::ETIMEDOUT));
        let time = begin.elapsed();
        assert!(
            (Duration::from_millis(200)..Duration::from_millis(800)).contains(&time),
            "{time:?}"
        );
        assert_eq!(buffers(&device)?[1], silent);
        assert_works(&emulation)?;
    }
    drop(device);
    module.reload_with(c"")
}

fn silence_sixteen_times_is_ebusy_until_the_driver_is_loaded_anew(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let module = Module::find(options)?;
    module.reload_with(c"quote_timeout_ms=50")?;
    let device = Device::open(NODE)?;
    emulation.answer_quotes(QuoteBehaviour::Never);
    for _ in 0..16 {
        assert_eq!(quote(&device, &[5; 64])?, Err(Errno::ETIMEDOUT));
    }
    assert_eq!(buffers(&device)?, [16, 16, 0]);
    emulation.answer_quotes(QuoteBehaviour::Honest);
    let begin = Instant::now();
    for _ in 0..3 {
        assert_eq!(quote(&device, &[5; 64])?, Err(Errno::EBUSY));
        assert_eq!(tsm::quote(&[5; 64])?, Err(Errno::EBUSY));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "it waits although nobody could bring a buffer back"
    );
    // Reports need no host.
    device.get_report(&[5; 64])?;
    drop(device);
    module.reload_with(c"")?;
    assert_works(&emulation)
}

fn late_answers_bring_the_buffers_back(options: &Options) -> Result<()> {
    const LATE: Duration = Duration::from_millis(700);
    let emulation = Emulation::required()?;
    let module = Module::find(options)?;
    module.reload_with(c"quote_timeout_ms=100")?;
    let device = Device::open(NODE)?;
    emulation.slow_quotes_down(LATE);
    for _ in 0..3 {
        assert_eq!(quote(&device, &[6; 64])?, Err(Errno::ETIMEDOUT));
    }
    let [all, unanswered, _] = buffers(&device)?;
    assert_eq!((all, unanswered), (3, 3));
    sleep(LATE + Duration::from_millis(300));
    assert_eq!(buffers(&device)?, [3, 0, 0]);
    // They are used again, and nobody gets the answer to somebody else's request.
    emulation.slow_quotes_down(Duration::ZERO);
    for _ in 0..10 {
        assert_works(&emulation)?;
    }
    assert_eq!(buffers(&device)?, [3, 0, 0]);
    drop(device);
    module.reload_with(c"")
}

/// As where the TD's memory is in pieces that are too small: what the driver shares when it is loaded is enough.
fn memory_that_cannot_be_shared_any_more_leaves_the_first_buffer(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    Module::find(options)?.reload_with(c"")?;
    let device = Device::open(NODE)?;
    assert_eq!(buffers(&device)?, [1, 0, 0]);
    emulation.refuse_calls(Vmcall::MAP_GPA, VmcallStatus::INVALID_OPERAND, None);
    assert_works(&emulation)?;
    assert_eq!(buffers(&device)?, [1, 0, 0]);
    Ok(())
}

fn memory_that_cannot_be_shared_has_requests_wait_for_each_other(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let module = Module::find(options)?;
    module.reload_with(c"")?;
    let device = Device::open(NODE)?;
    emulation.slow_quotes_down(Duration::from_millis(500));
    emulation.refuse_calls(Vmcall::MAP_GPA, VmcallStatus::INVALID_OPERAND, None);
    at_once(3, |_| {
        let reportdata = random_reportdata()?;
        assert_carries(&quote(&device, &reportdata)??, &reportdata);
        Ok(())
    })?;
    emulation.mend();
    let [all, unanswered, lost] = buffers(&device)?;
    assert_eq!((all, unanswered), (1, 0));
    // Who waits has tried once to have a buffer of his own.
    assert!((1..=2).contains(&lost), "{lost} are lost");
    drop(device);
    module.reload_with(c"")
}
