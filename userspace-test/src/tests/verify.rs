// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDX_CMD_VERIFYREPORT: whether a report is of this platform.

use super::pointers::for_each_node;
use crate::device::random_reportdata;
use crate::emulation::Emulation;
use crate::harness::{test, Test};
use crate::memory::{Pages, PAGE};
use crate::options::{Driver, Options};
use crate::verify::verify;
use anyhow::Result;
use nix::errno::Errno;
use tdx_call::{leaf, OperandId, Status};
use tdx_uapi::ioctl::{TdxVerifyReportReq, TDX_CMD_VERIFYREPORT};
use zerocopy::IntoBytes;

pub(super) const TESTS: &[Test] = &[
    test!(holds_for_a_report_of_this_platform).only(&[Driver::Rust]),
    test!(is_ebadmsg_after_any_change).only(&[Driver::Rust]),
    test!(is_ekeyrejected_for_another_cpusvn).only(&[Driver::Rust]),
    test!(is_einval_for_another_length).only(&[Driver::Rust]),
    test!(is_efault_where_there_is_no_memory).only(&[Driver::Rust]),
    test!(is_an_error_when_the_module_refuses).only(&[Driver::Rust]),
];

fn holds_for_a_report_of_this_platform(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        for _ in 0..100 {
            let report = device.get_report(&random_reportdata()?)?;
            assert_eq!(verify(device, &report[..256], 256)?, Ok(()));
        }
        Ok(())
    })
}

fn is_ebadmsg_after_any_change(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let report = device.get_report(&random_reportdata()?)?;
        // The CPUSVN is looked at first, and has an error of its own.
        for at in (0..256).filter(|at| !(16..32).contains(at)) {
            let mut changed = report;
            changed[at] ^= 0x10;
            assert_eq!(
                verify(device, &changed[..256], 256)?,
                Err(Errno::EBADMSG),
                "byte {at}"
            );
        }
        Ok(())
    })
}

fn is_ekeyrejected_for_another_cpusvn(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let mut report = device.get_report(&random_reportdata()?)?;
        report[16] ^= 1;
        assert_eq!(
            verify(device, &report[..256], 256)?,
            Err(Errno::EKEYREJECTED)
        );
        Ok(())
    })
}

fn is_einval_for_another_length(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let report = device.get_report(&[0; 64])?;
        for length in [0, 255, 257, 1024, u32::MAX] {
            assert_eq!(
                verify(device, &report[..256], length)?,
                Err(Errno::EINVAL),
                "{length}"
            );
        }
        Ok(())
    })
}

fn is_efault_where_there_is_no_memory(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let pages = Pages::new(3)?;
        pages.unmap(1)?;
        let request = TdxVerifyReportReq {
            reportmac: pages.at(PAGE - 255).value(),
            rpm_len: 256,
            padding: 0,
        };
        // The report ends in the hole, then the request does.
        pages.write(0, request.as_bytes())?;
        assert_eq!(
            device.ioctl(TDX_CMD_VERIFYREPORT, pages.at(0)),
            Err(Errno::EFAULT)
        );
        assert_eq!(
            device.ioctl(TDX_CMD_VERIFYREPORT, pages.at(PAGE - 8)),
            Err(Errno::EFAULT)
        );
        Ok(())
    })
}

fn is_an_error_when_the_module_refuses(options: &Options) -> Result<()> {
    let emulation = Emulation::required()?;
    for_each_node(options, |device| {
        let report = device.get_report(&[3; 64])?;
        for (status, errno) in [
            (Status::operand_invalid(OperandId::RAX), Errno::EOPNOTSUPP),
            (Status::operand_invalid(OperandId::RCX), Errno::EIO),
            (Status(0xc000_ffff_0000_0000), Errno::EIO),
        ] {
            emulation.refuse_leaf(leaf::MR_VERIFYREPORT, status, Some(1));
            assert_eq!(verify(device, &report[..256], 256)?, Err(errno), "{status}");
            assert_eq!(verify(device, &report[..256], 256)?, Ok(()));
        }
        Ok(())
    })
}
