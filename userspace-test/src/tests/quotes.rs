// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Quotes, by ioctl and by configfs, from a host that means well.

use super::concurrency::at_once;
use super::pointers::for_each_node;
use crate::device::{random_reportdata, Device, NODE};
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::{Driver, Options};
use crate::quote::{self, message, quote, Request, NUMBERS, USUAL_LEN};
use crate::tsm::{self, Entry};
use anyhow::Result;
use nix::errno::Errno;
use std::time::{Duration, Instant};
use tdx_uapi::ioctl::{TdxQuoteReq, TDX_CMD_GET_QUOTE};
use tdx_uapi::{quote_reportdata, TDREPORT_LEN};
use zerocopy::IntoBytes;

pub(super) const TESTS: &[Test] = &[
    test!(are_made_under_every_number_on_both_nodes).only(&[Driver::Rust]),
    test!(are_made_of_messages_to_a_quoting_service).only(&[Driver::Rust]),
    test!(are_made_by_configfs),
    test!(of_configfs_have_the_attributes_of_its_documentation),
    test!(of_configfs_are_einval_unless_there_are_64_bytes),
    test!(are_made_side_by_side).only(&[Driver::Rust]),
    test!(of_both_ways_do_not_disturb_each_other).only(&[Driver::Rust]),
    test!(need_a_header_and_data_that_fit).only(&[Driver::Rust]),
    test!(need_a_tdreport).only(&[Driver::Rust]),
    test!(need_memory_to_be_read_and_written).only(&[Driver::Rust]),
    test!(that_do_not_fit_are_efbig).only(&[Driver::Rust]),
    test!(of_a_changed_report_are_the_hosts_error).only(&[Driver::Rust]),
];

/// Asserts that a Quote is one, and carries this.
pub(super) fn assert_carries(quote: &[u8], reportdata: &[u8; 64]) {
    assert_eq!(
        quote_reportdata(quote),
        Some(reportdata),
        "the REPORTDATA of a Quote of {} bytes",
        quote.len()
    );
    // libtdx_attest takes nothing else.
    assert!(
        (1021..=8191).contains(&quote.len()),
        "a Quote of {} bytes",
        quote.len()
    );
}

fn are_made_under_every_number_on_both_nodes(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for number in NUMBERS {
            let reportdata = random_reportdata()?;
            let report = device.get_report(&reportdata)?;
            let (header, quote) = Request::new(report.to_vec())?.send(device, number)??;
            assert_eq!(header.status, 0, "{number:#x}");
            assert_carries(&quote, &reportdata);
        }
        Ok(())
    })
}

fn are_made_of_messages_to_a_quoting_service(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for number in NUMBERS {
            let reportdata = random_reportdata()?;
            let report = device.get_report(&reportdata)?;
            let request = Request::new(message(&report))?;
            let (header, answer) = request.send(device, number)??;
            assert_eq!(header.status, 0, "{number:#x}");
            let length = u32::from_be_bytes(*answer.first_chunk().expect("a length"));
            assert_eq!(length as usize + 4, answer.len());
            // The message's header, two lengths and, as it was not asked for, no identifier of a key.
            assert_eq!(answer[20..24], [0; 4], "an identifier was not asked for");
            assert_carries(&answer[28..], &reportdata);
        }
        Ok(())
    })
}

fn are_made_by_configfs(_: &Options) -> Result<()> {
    for _ in 0..3 {
        let reportdata = random_reportdata()?;
        assert_carries(&tsm::quote(&reportdata)??, &reportdata);
    }
    Ok(())
}

fn of_configfs_have_the_attributes_of_its_documentation(_: &Options) -> Result<()> {
    let entry = Entry::new()?;
    assert_eq!(
        entry.attributes()?,
        ["generation", "inblob", "outblob", "provider"]
    );
    assert_eq!(entry.text("provider")?, "tdx_guest");
    for generation in ["0", "1", "2"] {
        assert_eq!(entry.text("generation")?, generation);
        entry.set_inblob(&random_reportdata()?)?;
    }
    // Reading does not count, and a second time gives the same.
    let quote = entry.outblob()?;
    assert_eq!(entry.outblob()?, quote);
    assert_eq!(entry.text("generation")?, "3");
    Ok(())
}

fn of_configfs_are_einval_unless_there_are_64_bytes(_: &Options) -> Result<()> {
    assert_eq!(Entry::new()?.outblob(), Err(Errno::EINVAL), "no inblob");
    for length in [1, 48, 63] {
        assert_eq!(
            tsm::quote(&vec![1; length])?,
            Err(Errno::EINVAL),
            "{length}"
        );
    }
    Ok(())
}

fn are_made_side_by_side(_: &Options) -> Result<()> {
    const TIME: Duration = Duration::from_millis(300);
    let emulation = Emulation::required()?;
    emulation.slow_quotes_down(TIME);
    // Of one open file, and of eight.
    let shared = Device::open(NODE)?;
    for share in [true, false] {
        let begin = Instant::now();
        at_once(8, |_| {
            let own = Device::open(NODE)?;
            let reportdata = random_reportdata()?;
            let quote = quote(if share { &shared } else { &own }, &reportdata)??;
            assert_carries(&quote, &reportdata);
            Ok(())
        })?;
        let time = begin.elapsed();
        println!("8 Quotes of {TIME:?} each, sharing a file {share}: {time:?}");
        assert!(time >= TIME, "the emulation did not slow down");
        assert!(time < TIME * 3, "they waited for each other: {time:?}");
    }
    Ok(())
}

fn of_both_ways_do_not_disturb_each_other(_: &Options) -> Result<()> {
    let device = Device::open(NODE)?;
    at_once(6, |number| {
        for _ in 0..10 {
            let reportdata = random_reportdata()?;
            let quote = match number % 2 {
                0 => quote(&device, &reportdata)??,
                _ => tsm::quote(&reportdata)??,
            };
            assert_carries(&quote, &reportdata);
        }
        Ok(())
    })
}

fn need_a_header_and_data_that_fit(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let good = || Request::new(device.get_report(&[5; 64])?.to_vec());
        let mut bad = Vec::new();
        for version in [0, 2, u64::MAX] {
            let mut request = good()?;
            request.header.version = version;
            bad.push(request);
        }
        for in_len in [0, 1023, 1025, USUAL_LEN as u32 - 23, 0x8000_0000, u32::MAX] {
            let mut request = good()?;
            request.header.in_len = in_len;
            bad.push(request);
        }
        for len in [0, 1, 23, 24, 24 + 1023] {
            let mut request = good()?;
            request.len = len;
            bad.push(request);
        }
        for request in bad {
            assert_eq!(
                request.send(device, TDX_CMD_GET_QUOTE)?,
                Err(Errno::EINVAL),
                "{:?}, length {}",
                request.header,
                request.len
            );
        }
        // There may be more room than anybody needs, and anything where the answer goes.
        let mut request = good()?;
        request.len = u64::MAX;
        request.header.status = 7;
        request.header.out_len = u32::MAX;
        assert_eq!(request.send(device, TDX_CMD_GET_QUOTE)??.0.status, 0);
        Ok(())
    })
}

fn need_a_tdreport(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let mut longer = message(&[0; TDREPORT_LEN]);
        longer[3] ^= 0x40;
        for data in [vec![0; 1], vec![0xff; 4000], longer, message(&[0; 1000])] {
            let request = Request::new(data)?;
            assert_eq!(
                request.send(device, TDX_CMD_GET_QUOTE)?,
                Err(Errno::EINVAL),
                "{} bytes",
                request.data.len()
            );
        }
        Ok(())
    })
}

fn need_memory_to_be_read_and_written(options: &Options) -> Result<()> {
    use nix::sys::mman::ProtFlags;

    for_each_node(options, |device| {
        for address in [Address::NULL, Address::NOT_CANONICAL, Address::KERNEL] {
            assert_eq!(device.ioctl(TDX_CMD_GET_QUOTE, address), Err(Errno::EFAULT));
        }
        let pages = Pages::new(4)?;
        let request = Request::new(device.get_report(&[6; 64])?.to_vec())?;
        let ask = |buf: Address<'_>| -> Result<nix::Result<()>> {
            let request = TdxQuoteReq {
                buf: buf.value(),
                len: 2 * PAGE as u64,
            };
            pages.write(0, request.as_bytes())?;
            Ok(device.ioctl(TDX_CMD_GET_QUOTE, pages.at(0)))
        };
        for address in [Address::NULL, Address::KERNEL, Address::END_OF_USER] {
            assert_eq!(ask(address)?, Err(Errno::EFAULT));
        }
        // The request can be read, but the answer cannot be written as a whole, or at all.
        pages.write(PAGE, request.header.as_bytes())?;
        pages.write(PAGE + 24, &request.data)?;
        assert_eq!(ask(pages.at(PAGE))?, Ok(()));
        pages.write(PAGE, request.header.as_bytes())?;
        pages.write(PAGE + 24, &request.data)?;
        pages.protect(2, ProtFlags::PROT_READ)?;
        assert_eq!(ask(pages.at(PAGE))?, Err(Errno::EFAULT));
        pages.protect(1, ProtFlags::PROT_READ)?;
        assert_eq!(ask(pages.at(PAGE))?, Err(Errno::EFAULT));
        Ok(())
    })
}

fn that_do_not_fit_are_efbig(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let mut request = Request::new(device.get_report(&[8; 64])?.to_vec())?;
        for room in [TDREPORT_LEN as u64, 2000] {
            request.len = 24 + room;
            assert_eq!(request.send(device, TDX_CMD_GET_QUOTE)?, Err(Errno::EFBIG));
        }
        Ok(())
    })
}

fn of_a_changed_report_are_the_hosts_error(options: &Options) -> Result<()> {
    const ERROR: u64 = tdx_uapi::QuoteStatus::ERROR.0;
    for_each_node(options, |device| {
        let mut report = device.get_report(&[9; 64])?.to_vec();
        report[200] ^= 1;
        // The host has answered: the ioctl succeeds, and the header says what.
        let (header, data) = Request::new(report.clone())?.send(device, TDX_CMD_GET_QUOTE)??;
        assert_eq!((header.status, data.len()), (ERROR, 0));
        // A quoting service says so in its message, which is for its client to read.
        let answer = Request::new(message(&report))?.send(device, quote::NUMBERS[0])??;
        assert_eq!(answer.0.status, 0);
        assert_ne!(answer.1[16..20], [0; 4], "the error in the message");
        Ok(())
    })
}
