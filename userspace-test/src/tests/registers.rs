// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Measurement registers: what is in sysfs, and how RTMRs are extended.

use super::concurrency::at_once;
use super::nodes;
use super::pointers::for_each_node;
use super::refused::BUSY;
use super::signals::{alarm_every, catch_alarms};
use crate::device::{random_reportdata, Device, LINUX_NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::{Driver, Options};
use crate::registers::{
    extend, extend_by_ioctl, extended, open, read, reported, write, FIXED, FOLDER, NUMBERS, RTMRS,
};
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tdx_call::{leaf, OperandId, Status};
use tdx_uapi::ioctl::TDX_CMD_EXTEND_RTMR;
use tdx_uapi::Digest;

pub(super) const TESTS: &[Test] = &[
    test!(have_the_names_and_modes_that_linux_documents),
    test!(are_those_of_the_report),
    test!(are_extended_by_writing),
    test!(are_not_extended_by_parts),
    test!(that_are_fixed_cannot_be_written),
    test!(are_extended_by_ioctl).only(&[Driver::Rust]),
    test!(that_do_not_exist_are_einval).only(&[Driver::Rust]),
    test!(are_extended_through_files_open_for_writing_only).only(&[Driver::Rust]),
    test!(are_not_extended_by_requests_that_cannot_be_read).only(&[Driver::Rust]),
    test!(are_the_same_through_all_interfaces).only(&[Driver::Rust]),
    test!(do_not_lose_an_extension_among_many),
    test!(are_extended_when_the_module_was_busy).only(&[Driver::Rust]),
    test!(are_as_before_when_the_module_refuses).only(&[Driver::Rust]),
    test!(can_be_read_after_a_report_was_refused).only(&[Driver::Rust]),
    test!(are_not_waited_for_after_a_signal).only(&[Driver::Rust]),
];

/// Data that nobody else extends with.
pub(super) fn random_data() -> Result<Digest> {
    let random = random_reportdata()?;
    Ok(Digest(random[..48].try_into()?))
}

fn have_the_names_and_modes_that_linux_documents(_: &Options) -> Result<()> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(FOLDER).with_context(|| format!("cannot read {FOLDER}"))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        assert_eq!(
            (metadata.uid(), metadata.gid(), metadata.size()),
            (0, 0, 48)
        );
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert((name, metadata.mode() & 0o7777));
    }
    let fixed = FIXED.map(|name| (name.to_owned(), 0o444));
    let runtime = RTMRS.map(|name| (name.to_owned(), 0o644));
    assert_eq!(found, fixed.into_iter().chain(runtime).collect());
    Ok(())
}

/// Asserts that sysfs and a TDREPORT of the device say the same of all registers.
fn assert_as_reported(device: &Device) -> Result<()> {
    let td = reported(device)?;
    let fixed = [td.mrtd, td.mr_config_id, td.mr_owner, td.mr_owner_config];
    let names = FIXED.into_iter().chain(RTMRS);
    for (name, value) in names.zip(fixed.iter().chain(&td.rtmr)) {
        assert_eq!(read(name)?, *value, "{name}");
    }
    Ok(())
}

fn are_those_of_the_report(options: &Options) -> Result<()> {
    for_each_node(options, assert_as_reported)
}

fn are_extended_by_writing(_: &Options) -> Result<()> {
    let device = Device::open(LINUX_NODE)?;
    for (index, name) in RTMRS.into_iter().enumerate() {
        for _ in 0..3 {
            let (before, data) = (reported(&device)?.rtmr, random_data()?);
            extend(name, &data)?;
            let after = extended(&before[index], &data);
            assert_eq!(read(name)?, after, "{name}");
            let reported = reported(&device)?.rtmr;
            for other in 0..RTMRS.len() {
                let expected = if other == index { after } else { before[other] };
                assert_eq!(reported[other], expected, "{name} was written, RTMR{other}");
            }
        }
    }
    assert_as_reported(&device)
}

fn are_not_extended_by_parts(_: &Options) -> Result<()> {
    let data = [7; 200];
    for name in RTMRS {
        let before = read(name)?;
        for (length, at) in [(1, 0), (47, 0), (47, 1), (48, 1), (200, 1), (1, 47)] {
            let result = write(name, &data[..length], at)?;
            assert_eq!(result, Err(Errno::EINVAL), "{length} bytes at {at}");
        }
        for at in [48, 49, 4096] {
            let result = write(name, &data[..48], at)?;
            assert_eq!(result, Err(Errno::EFBIG), "48 bytes at {at}");
        }
        assert_eq!(write(name, &[], 0)?, Ok(0));
        assert_eq!(read(name)?, before, "{name}");
    }
    // Of more than there is room for in a file of sysfs, the kernel passes on so much as there is, and says so.
    for length in [49, 200] {
        let before = read(RTMRS[3])?;
        assert_eq!(
            write(RTMRS[3], &data[..length], 0)?,
            Ok(48),
            "{length} bytes"
        );
        assert_eq!(read(RTMRS[3])?, extended(&before, &Digest([7; 48])));
    }
    Ok(())
}

fn that_are_fixed_cannot_be_written(_: &Options) -> Result<()> {
    for name in FIXED {
        let error = open(name).expect_err("it can be opened for writing");
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::EACCES as i32),
            "{name}: {error}"
        );
    }
    Ok(())
}

fn are_extended_by_ioctl(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for number in NUMBERS {
            for (index, name) in (0..).zip(RTMRS) {
                let (before, data) = (read(name)?, random_data()?);
                extend_by_ioctl(device, number, index, &data)??;
                assert_eq!(
                    read(name)?,
                    extended(&before, &data),
                    "{name} by {number:#x}"
                );
                assert_as_reported(device)?;
            }
        }
        Ok(())
    })
}

fn that_do_not_exist_are_einval(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let before = reported(device)?.rtmr;
        for number in NUMBERS {
            for index in [4, 5, 127, 255] {
                let result = extend_by_ioctl(device, number, index, &Digest([1; 48]))?;
                assert_eq!(result, Err(Errno::EINVAL), "index {index}");
            }
        }
        assert_eq!(reported(device)?.rtmr, before);
        Ok(())
    })
}

fn are_extended_through_files_open_for_writing_only(options: &Options) -> Result<()> {
    for node in nodes::of(options.driver) {
        let read_only = Device::open_with(node, OpenOptions::new().read(true))?;
        let write_only = Device::open_with(node, OpenOptions::new().write(true))?;
        for number in NUMBERS {
            let (before, data) = (read(RTMRS[2])?, random_data()?);
            let result = extend_by_ioctl(&read_only, number, 2, &data)?;
            assert_eq!(result, Err(Errno::EBADF));
            // Nothing of the request is looked at.
            assert_eq!(read_only.ioctl(number, Address::NULL), Err(Errno::EBADF));
            assert_eq!(read(RTMRS[2])?, before);
            extend_by_ioctl(&write_only, number, 2, &data)??;
            assert_eq!(read(RTMRS[2])?, extended(&before, &data));
        }
    }
    Ok(())
}

fn are_not_extended_by_requests_that_cannot_be_read(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let before = reported(device)?.rtmr;
        let pages = Pages::new(2)?;
        pages.unmap(1)?;
        for number in NUMBERS {
            for present in [0, 1, 47, 48] {
                let result = device.ioctl(number, pages.at(PAGE - present));
                assert_eq!(result, Err(Errno::EFAULT), "{present} bytes are there");
            }
            for address in [Address::NULL, Address::KERNEL, Address::NOT_CANONICAL] {
                assert_eq!(device.ioctl(number, address), Err(Errno::EFAULT));
            }
        }
        assert_eq!(reported(device)?.rtmr, before);
        // All bytes are there: the request is one for RTMR0, with zeros.
        device.ioctl(TDX_CMD_EXTEND_RTMR, pages.at(PAGE - 49))?;
        assert_eq!(read(RTMRS[0])?, extended(&before[0], &Digest([0; 48])));
        Ok(())
    })
}

fn are_the_same_through_all_interfaces(options: &Options) -> Result<()> {
    let devices = nodes::of(options.driver)
        .iter()
        .map(|node| Device::open(node))
        .collect::<Result<Vec<_>>>()?;
    let mut expected = read(RTMRS[3])?;
    let mut check = |how: &str, data: &Digest| -> Result<()> {
        expected = extended(&expected, data);
        // Twice: what is remembered after the first time is the same.
        for _ in 0..2 {
            assert_eq!(read(RTMRS[3])?, expected, "sysfs, after {how}");
            for device in &devices {
                assert_eq!(reported(device)?.rtmr[3], expected, "a report, after {how}");
            }
        }
        Ok(())
    };
    for _ in 0..3 {
        let data = random_data()?;
        extend(RTMRS[3], &data)?;
        check("a write", &data)?;
        for device in &devices {
            for number in NUMBERS {
                let data = random_data()?;
                extend_by_ioctl(device, number, 3, &data)??;
                check("an ioctl", &data)?;
            }
        }
    }
    Ok(())
}

fn do_not_lose_an_extension_among_many(options: &Options) -> Result<()> {
    const WRITERS: usize = 6;
    const READERS: usize = 2;
    const EACH: usize = 100;
    const DATA: Digest = Digest([0x3c; 48]);
    // Everybody extends by the same, so that it is known what comes, whoever comes first.
    let mut values = vec![read(RTMRS[3])?];
    for number in 0..WRITERS * EACH {
        values.push(extended(&values[number], &DATA));
    }
    let position = |value: &Digest| values.iter().position(|other| other == value);
    let done = AtomicUsize::new(0);
    at_once(WRITERS + READERS, |thread| {
        let device = Device::open(LINUX_NODE)?;
        if thread < WRITERS {
            for round in 0..EACH {
                if options.driver == Driver::Rust && thread % 2 == 0 {
                    extend_by_ioctl(&device, NUMBERS[round % 2], 3, &DATA)??;
                } else {
                    extend(RTMRS[3], &DATA)?;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(());
        }
        let mut last = 0;
        while done.load(Ordering::Relaxed) < WRITERS * EACH {
            for value in [read(RTMRS[3])?, reported(&device)?.rtmr[3]] {
                let at = position(&value).context("a value that never was")?;
                assert!(at >= last, "extension {last} was there before {at}");
                last = at;
            }
        }
        Ok(())
    })?;
    assert_eq!(position(&read(RTMRS[3])?), Some(WRITERS * EACH));
    assert_as_reported(&Device::open(LINUX_NODE)?)
}

fn are_extended_when_the_module_was_busy(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(LINUX_NODE)?;
    for times in [1, 2, 300] {
        let before = read(RTMRS[3])?;
        emulation.refuse_leaf(leaf::MR_RTMR_EXTEND, BUSY, Some(times));
        extend(RTMRS[3], &Digest([1; 48]))?;
        emulation.refuse_leaf(leaf::MR_RTMR_EXTEND, BUSY, Some(times));
        extend_by_ioctl(&device, TDX_CMD_EXTEND_RTMR, 3, &Digest([2; 48]))??;
        let after = extended(&extended(&before, &Digest([1; 48])), &Digest([2; 48]));
        assert_eq!(read(RTMRS[3])?, after);
    }
    Ok(())
}

fn are_as_before_when_the_module_refuses(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let device = Device::open(LINUX_NODE)?;
    let before = reported(&device)?.rtmr;
    for status in [
        Status::operand_invalid(OperandId::RCX),
        Status::operand_invalid(OperandId::RDX),
        Status(0xc000_ffff_0000_0000),
    ] {
        emulation.refuse_leaf(leaf::MR_RTMR_EXTEND, status, Some(2));
        let result = write(RTMRS[2], &[1; 48], 0)?;
        assert_eq!(result, Err(Errno::EIO), "{status}");
        let result = extend_by_ioctl(&device, TDX_CMD_EXTEND_RTMR, 2, &Digest([1; 48]))?;
        assert_eq!(result, Err(Errno::EIO), "{status}");
        assert_eq!(reported(&device)?.rtmr, before);
        assert_as_reported(&device)?;
    }
    extend(RTMRS[2], &Digest([1; 48]))?;
    assert_eq!(read(RTMRS[2])?, extended(&before[2], &Digest([1; 48])));
    Ok(())
}

fn can_be_read_after_a_report_was_refused(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    let (mrtd, before) = (read(FIXED[0])?, read(RTMRS[3])?);
    extend(RTMRS[3], &Digest([9; 48]))?;
    emulation.refuse_reports(Status::operand_invalid(OperandId::RCX), None);
    for name in FIXED.into_iter().chain(RTMRS) {
        let error = read(name).expect_err("it is read without a report");
        let error = error.downcast::<std::io::Error>()?;
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::EIO as i32),
            "{name}: {error}"
        );
    }
    emulation.mend();
    assert_eq!(read(FIXED[0])?, mrtd);
    assert_eq!(read(RTMRS[3])?, extended(&before, &Digest([9; 48])));
    Ok(())
}

fn are_not_waited_for_after_a_signal(_: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    catch_alarms()?;
    let device = Device::open(LINUX_NODE)?;
    let before = read(RTMRS[3])?;
    emulation.refuse_leaf(leaf::MR_RTMR_EXTEND, BUSY, None);
    alarm_every(Duration::from_millis(50))?;
    let by_ioctl = extend_by_ioctl(&device, TDX_CMD_EXTEND_RTMR, 3, &Digest([1; 48]))?;
    let by_write = write(RTMRS[3], &[1; 48], 0)?;
    alarm_every(Duration::ZERO)?;
    assert_eq!(by_ioctl, Err(Errno::EINTR));
    assert_eq!(by_write, Err(Errno::EINTR));
    emulation.mend();
    assert_eq!(read(RTMRS[3])?, before);
    Ok(())
}
