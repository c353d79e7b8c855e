// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What becomes of a TDG.MR.REPORT that the TDX module refuses. The emulation refuses on demand.

use super::concurrency::at_once;
use super::pointers::{assert_works, for_each_node};
use crate::device::{assert_carries, random_reportdata, request_1_0, Device, NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::memory::{Pages, PAGE};
use crate::options::{Driver, Options};
use anyhow::Result;
use nix::errno::Errno;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tdx_call::{OperandId, Status};

pub(super) const TESTS: &[Test] = &[
    test!(reports_are_eio_whatever_the_status_and_the_next_is_made).only(&[Driver::Rust]),
    test!(reports_leave_the_callers_memory_as_it_was).only(&[Driver::Rust]),
    test!(as_busy_a_few_times_reports_are_made_at_last).only(&[Driver::Rust]),
    test!(as_busy_for_ever_reports_are_eio_after_a_while).only(&[Driver::Rust]),
    test!(reports_are_in_the_log_with_their_status).only(&[Driver::Rust]),
    test!(reports_do_not_flood_the_log).only(&[Driver::Rust]),
    test!(reports_of_some_are_no_harm_to_others).only(&[Driver::Rust]),
];

/// What the TDX module says while another vCPU extends an RTMR.
pub(super) const BUSY: Status = Status::operand_busy(OperandId::RTMR);

/// Every status but busy that says that a TDCALL failed: those that the module has for this leaf, those it has for
/// others, and some that nobody knows.
fn refusals() -> Vec<Status> {
    let operands = [
        OperandId::RAX,
        OperandId::RCX,
        OperandId::RDX,
        OperandId::R8,
        OperandId::RTMR,
        OperandId::METADATA_FIELD,
    ];
    let mut all = operands.map(Status::operand_invalid).to_vec();
    all.extend([
        Status::NO_VALID_VE_INFO,
        Status::PAGE_SIZE_MISMATCH,
        Status(Status::PAGE_SIZE_MISMATCH.0 | 1),
        Status::METADATA_FIELD_ID_INCORRECT,
        Status::METADATA_FIELD_NOT_WRITABLE,
        Status::METADATA_FIELD_NOT_READABLE,
        Status::METADATA_FIELD_VALUE_NOT_VALID,
        Status::INVALID_CPUSVN,
        Status::INVALID_REPORTMACSTRUCT,
        // Nobody's, recoverable and not.
        Status(0x8000_ee00_0000_0000),
        Status(0xc000_ee00_1234_5678),
        Status(u64::MAX),
    ]);
    all
}

fn reports_are_eio_whatever_the_status_and_the_next_is_made(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for_each_node(options, |device| {
        for status in refusals() {
            emulation.refuse_reports(status, Some(1));
            assert_eq!(device.get_report(&[1; 64]), Err(Errno::EIO), "{status}");
            assert_works(device)?;
            emulation.mend();
        }
        Ok(())
    })
}

fn reports_leave_the_callers_memory_as_it_was(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for_each_node(options, |device| {
        // There is an earlier report that could leak.
        assert_works(device)?;
        for status in refusals().into_iter().chain([BUSY]) {
            emulation.refuse_reports(status, None);
            let pages = Pages::new(1)?;
            let before = vec![0x96; PAGE];
            pages.write(0, &before)?;
            assert_eq!(
                device.get_report_at(pages.at(64)),
                Err(Errno::EIO),
                "{status}"
            );
            assert!(
                pages.read(0, PAGE)? == before,
                "{status}: memory has changed"
            );

            let request = request_1_0(pages.at(1024), pages.at(2048));
            assert_eq!(
                device.get_report_1_0(&pages, 0, &request)?,
                Err(Errno::EIO),
                "{status}"
            );
            assert!(
                pages.read(1024, 3072)? == before[1024..],
                "{status}: memory has changed"
            );
            emulation.mend();
        }
        Ok(())
    })
}

fn as_busy_a_few_times_reports_are_made_at_last(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for_each_node(options, |device| {
        for times in [1, 2, 5, 10] {
            let before = emulation.reports();
            emulation.refuse_reports(BUSY, Some(times));
            assert_works(device)?;
            assert_eq!(
                emulation.reports() - before,
                times + 1,
                "the call was made more often"
            );
            emulation.mend();
        }
        Ok(())
    })
}

fn as_busy_for_ever_reports_are_eio_after_a_while(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for_each_node(options, |device| {
        let (before, begin) = (emulation.reports(), Instant::now());
        emulation.refuse_reports(BUSY, None);
        assert_eq!(device.get_report(&[1; 64]), Err(Errno::EIO));
        let (calls, time) = (emulation.reports() - before, begin.elapsed());
        println!("{calls} calls in {time:?}");
        assert!(
            (2..100_000).contains(&calls),
            "{calls} calls before the driver gave up"
        );
        assert!(
            time < Duration::from_secs(10),
            "{time:?} until the driver gave up"
        );
        emulation.mend();

        // Busy first, and then something worse: the worse counts.
        emulation.refuse_reports(BUSY, Some(3));
        emulation.refuse_reports(Status::operand_invalid(OperandId::RCX), None);
        assert_eq!(device.get_report(&[1; 64]), Err(Errno::EIO));
        emulation.mend();
        Ok(())
    })
}

fn reports_are_in_the_log_with_their_status(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    let mut log = KernelLog::open()?;
    let status = Status(0xc000_ee00_1234_5678);
    emulation.refuse_reports(status, None);
    let wanted = format!("{:#x}", status.0);
    // After much that went wrong the driver says no more for a while.
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        assert_eq!(device.get_report(&[1; 64]), Err(Errno::EIO));
        if log
            .lines()?
            .iter()
            .any(|line| line.contains("tdx_guest") && line.contains(&wanted))
        {
            return Ok(());
        }
        sleep(Duration::from_millis(500));
    }
    panic!("the log never says {wanted}");
}

fn reports_do_not_flood_the_log(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(NODE)?;
    let mut log = KernelLog::open()?;
    emulation.refuse_reports(Status::operand_invalid(OperandId::RCX), None);
    for _ in 0..2000 {
        assert_eq!(device.get_report(&[1; 64]), Err(Errno::EIO));
    }
    let lines = log.lines()?.len();
    assert!(lines < 100, "2000 refused calls made {lines} lines of log");
    Ok(())
}

fn reports_of_some_are_no_harm_to_others(_: &Options) -> Result<()> {
    const REFUSED: u32 = 150;
    let emulation = Emulation::required()?;
    let refused = AtomicU32::new(0);
    let shared = Device::open(NODE)?;
    emulation.refuse_reports(
        Status::operand_invalid(OperandId::RDX),
        Some(REFUSED.into()),
    );
    at_once(16, |number| {
        let own = Device::open(NODE)?;
        for _ in 0..100 {
            let reportdata = random_reportdata()?;
            match (if number % 2 == 0 { &own } else { &shared }).get_report(&reportdata) {
                Ok(report) => assert_carries(&report, &reportdata),
                Err(Errno::EIO) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                Err(other) => panic!("neither success nor EIO: {other}"),
            }
        }
        Ok(())
    })?;
    assert_eq!(refused.into_inner(), REFUSED, "calls that failed");
    assert_works(&shared)
}
