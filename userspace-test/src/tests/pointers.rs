// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Requests in memory that is not as it should be.

use super::nodes;
use crate::device::{assert_carries, random_reportdata, Device};
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::Options;
use anyhow::Result;
use nix::errno::Errno;
use nix::sys::mman::ProtFlags;
use tdx_uapi::ioctl::{TdxReportReq, TDX_CMD_GET_REPORT};

pub(super) const TESTS: &[Test] = &[
    test!(that_are_no_memory_are_efault),
    test!(that_end_in_a_hole_are_efault),
    test!(that_begin_in_a_hole_are_efault),
    test!(that_are_read_only_are_efault_and_untouched),
    test!(to_a_read_only_report_are_efault),
    test!(that_may_not_be_accessed_are_efault),
    test!(are_served_at_any_alignment_and_nothing_around_is_touched),
    test!(with_an_unknown_ioctl_are_enotty),
];

const LEN: usize = size_of::<TdxReportReq>();

/// Asserts that the device works: what came before has broken nothing.
pub(super) fn assert_works(device: &Device) -> Result<()> {
    let reportdata = random_reportdata()?;
    assert_carries(&device.get_report(&reportdata)?, &reportdata);
    Ok(())
}

/// Runs `with` for each node of the driver, and asserts that the node works afterwards.
pub(super) fn for_each_node(options: &Options, with: impl Fn(&Device) -> Result<()>) -> Result<()> {
    for node in nodes::of(options.driver) {
        let device = Device::open(node)?;
        println!("on {node}:");
        with(&device)?;
        assert_works(&device)?;
    }
    Ok(())
}

fn that_are_no_memory_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for address in [
            Address::NULL,
            Address::END_OF_USER,
            Address::NOT_CANONICAL,
            Address::KERNEL,
            Address::WRAPS,
        ] {
            assert_eq!(
                device.get_report_at(address),
                Err(Errno::EFAULT),
                "{address:x?}"
            );
        }
        Ok(())
    })
}

fn that_end_in_a_hole_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        pages.unmap(1)?;
        // Within REPORTDATA, between it and the report, within the report, one byte short.
        for present in [0, 1, 63, 64, 65, 192, LEN - 1] {
            let result = device.get_report_at(pages.at(PAGE - present));
            assert_eq!(result, Err(Errno::EFAULT), "{present} bytes are there");
        }
        assert_eq!(
            device.get_report_at(pages.at(PAGE - LEN)),
            Ok(()),
            "all bytes are there"
        );
        Ok(())
    })
}

fn that_begin_in_a_hole_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        pages.unmap(0)?;
        for missing in [1, 63, 64, 65, LEN - 1] {
            let result = device.get_report_at(pages.at(PAGE - missing));
            assert_eq!(result, Err(Errno::EFAULT), "{missing} bytes are missing");
        }
        assert_eq!(
            device.get_report_at(pages.at(PAGE)),
            Ok(()),
            "no byte is missing"
        );
        Ok(())
    })
}

fn that_are_read_only_are_efault_and_untouched(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(1)?;
        let before = vec![0xa5; PAGE];
        pages.write(0, &before)?;
        pages.protect(0, ProtFlags::PROT_READ)?;
        assert_eq!(device.get_report_at(pages.at(0)), Err(Errno::EFAULT));
        assert!(
            pages.read(0, PAGE)? == before,
            "read-only memory has changed"
        );
        Ok(())
    })
}

fn to_a_read_only_report_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(2)?;
        pages.protect(1, ProtFlags::PROT_READ)?;
        assert_eq!(
            device.get_report_at(pages.at(PAGE - 64)),
            Err(Errno::EFAULT)
        );
        assert!(
            pages.read(PAGE, PAGE)? == [0; PAGE],
            "read-only memory has changed"
        );
        Ok(())
    })
}

fn that_may_not_be_accessed_are_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(1)?;
        pages.protect(0, ProtFlags::PROT_NONE)?;
        assert_eq!(device.get_report_at(pages.at(0)), Err(Errno::EFAULT));
        Ok(())
    })
}

fn are_served_at_any_alignment_and_nothing_around_is_touched(options: &Options) -> Result<()> {
    const AROUND: u8 = 0xc3;
    for_each_node(options, |device| {
        let pages = Pages::new(3)?;
        let within_a_page = [1, 2, 3, 7, 63, 1024, PAGE - LEN];
        let across_pages = [PAGE - LEN + 1, PAGE - 65, PAGE - 64, PAGE - 63, PAGE - 1];
        for offset in within_a_page.into_iter().chain(across_pages) {
            let reportdata = random_reportdata()?;
            pages.write(0, &vec![AROUND; pages.len()])?;
            pages.write(offset, &reportdata)?;
            device.get_report_at(pages.at(offset))?;

            let after = pages.read(0, pages.len())?;
            let (head, rest) = after.split_at(offset);
            let (request, tail) = rest.split_at(LEN);
            assert_eq!(
                request[..64],
                reportdata,
                "REPORTDATA of the request at {offset}"
            );
            assert_carries(&request[64..], &reportdata);
            let untouched = head.iter().chain(tail).all(|&byte| byte == AROUND);
            assert!(
                untouched,
                "bytes around the request at {offset} were written"
            );
        }
        Ok(())
    })
}

fn with_an_unknown_ioctl_are_enotty(options: &Options) -> Result<()> {
    // TCGETS is what isatty() asks. The others differ from GET_REPORT in its direction, size, type and number.
    const TCGETS: u32 = 0x5401;
    let unknown = [
        0,
        TCGETS,
        TDX_CMD_GET_REPORT & !(3 << 30),
        TDX_CMD_GET_REPORT & !(1 << 30),
        TDX_CMD_GET_REPORT & !(2 << 30),
        TDX_CMD_GET_REPORT - (1 << 16),
        TDX_CMD_GET_REPORT + (1 << 16),
        TDX_CMD_GET_REPORT + (1 << 8),
        TDX_CMD_GET_REPORT + 0x7f,
        u32::MAX,
    ];
    for_each_node(options, |device| {
        let pages = Pages::new(1)?;
        for number in unknown {
            assert_eq!(
                device.ioctl(number, pages.at(0)),
                Err(Errno::ENOTTY),
                "{number:#x}"
            );
            assert_eq!(
                device.ioctl(number, Address::NULL),
                Err(Errno::ENOTTY),
                "{number:#x}"
            );
        }
        assert!(
            pages.read(0, PAGE)? == [0; PAGE],
            "an unknown ioctl has written something"
        );
        Ok(())
    })
}
