// SPDX-License-Identifier: Apache-2.0 OR MIT

//! 32-bit callers, who come in by another door of the kernel: `int $0x80`, which a 64-bit program can use, too.

use super::nodes;
use crate::device::{random_reportdata, Device, NODE};
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::{Driver, Options};
use crate::quote::NUMBERS;
use crate::registers;
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::arch::asm;
use std::os::fd::AsRawFd;
use tdx_uapi::ioctl::{
    TdxQuoteHdr, TdxQuoteReq, TDX_1_0_CMD_GET_REPORT, TDX_CMD_GET_REPORT, TDX_CMD_VERIFYREPORT,
};
use tdx_uapi::{quote_reportdata, Digest};
use zerocopy::IntoBytes;

pub(super) const TESTS: &[Test] = &[
    test!(callers_of_32_bits_get_reports).only(&[Driver::Rust]),
    test!(callers_of_32_bits_get_the_same_errors).only(&[Driver::Rust]),
    test!(callers_of_32_bits_get_quotes_and_verify_reports).only(&[Driver::Rust]),
    test!(callers_of_32_bits_extend_registers).only(&[Driver::Rust]),
    test!(callers_of_32_bits_are_refused_by_the_c_driver).only(&[Driver::C]),
];

/// ioctl(2) as a 32-bit program calls it.
fn ioctl_32(device: &Device, number: u32, argument: u32) -> nix::Result<()> {
    /// `__NR_ioctl` of `arch/x86/entry/syscalls/syscall_32.tbl`.
    const IOCTL: u64 = 54;
    /// In the half of the registers that a 32-bit program does not have, and that the kernel must not look at.
    const RUBBISH: u64 = 0xdead_beef << 32;
    let result: u64;
    // SAFETY: The system call writes to the argument at most, which is within `Pages` or no memory at all; callers see to
    // that. The kernel keeps all registers but RAX and, on some versions, R8 to R11. LLVM reserves RBX, so it is kept by
    // hand.
    unsafe {
        asm!(
            "xchg rbx, {fd}",
            "int 0x80",
            "xchg rbx, {fd}",
            fd = inout(reg) u64::from(device.file().as_raw_fd().unsigned_abs()) | RUBBISH => _,
            inout("rax") IOCTL => result,
            in("rcx") u64::from(number) | RUBBISH,
            in("rdx") u64::from(argument) | RUBBISH,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // The result is one of 32 bits, sign-extended or not.
    let result = result as u32 as i32;
    match result {
        0 => Ok(()),
        -4095..=-1 => Err(Errno::from_raw(-result)),
        _ => panic!("ioctl {number:#x} returned {result}"),
    }
}

/// Where `pages` begin, as a 32-bit pointer.
fn pointer_32(address: Address<'_>) -> Result<u32> {
    u32::try_from(address.value()).context("the memory is not below 4 GiB")
}

fn callers_of_32_bits_get_reports(_: &Options) -> Result<()> {
    for node in [NODE, crate::device::LINUX_NODE] {
        let device = Device::open(node)?;
        let pages = Pages::below_4g(2)?;
        // Across the two pages, so that nothing but what is mapped can be meant.
        let offset = PAGE - 100;
        let reportdata = random_reportdata()?;
        pages.write(offset, &reportdata)?;
        ioctl_32(&device, TDX_CMD_GET_REPORT, pointer_32(pages.at(offset))?)?;
        let expected = device.get_report(&reportdata)?;
        assert!(
            pages.read(offset + 64, 1024)? == expected,
            "not what a 64-bit caller gets"
        );
    }
    Ok(())
}

fn callers_of_32_bits_get_the_same_errors(_: &Options) -> Result<()> {
    let device = Device::open(NODE)?;
    let pages = Pages::below_4g(2)?;
    pages.unmap(1)?;
    for pointer in [
        0,
        pointer_32(pages.at(PAGE - 64))?,
        pointer_32(pages.at(PAGE))?,
        0xffff_f000,
        u32::MAX,
    ] {
        let result = ioctl_32(&device, TDX_CMD_GET_REPORT, pointer);
        assert_eq!(result, Err(Errno::EFAULT), "request at {pointer:#x}");
    }
    let good = pointer_32(pages.at(0))?;
    for number in [
        0x5401,
        TDX_CMD_GET_REPORT + 1,
        TDX_CMD_GET_REPORT - (1 << 16),
    ] {
        assert_eq!(
            ioctl_32(&device, number, good),
            Err(Errno::ENOTTY),
            "{number:#x}"
        );
    }
    // The TDX 1.0 form was never there for 32-bit programs.
    assert_eq!(
        ioctl_32(&device, TDX_1_0_CMD_GET_REPORT, good),
        Err(Errno::ENOTTY)
    );
    Ok(())
}

fn callers_of_32_bits_get_quotes_and_verify_reports(_: &Options) -> Result<()> {
    for node in [NODE, crate::device::LINUX_NODE] {
        let device = Device::open(node)?;
        let reportdata = random_reportdata()?;
        let report = device.get_report(&reportdata)?;
        // The request, at the end of a page before a hole, and the buffer.
        let pages = Pages::below_4g(8)?;
        pages.unmap(1)?;
        let buffer = 2 * PAGE;
        let address = pages.at(buffer).value();
        for number in NUMBERS {
            let request = TdxQuoteReq {
                buf: address,
                len: 6 * PAGE as u64,
            };
            let header = TdxQuoteHdr {
                version: 1,
                status: 0,
                in_len: report.len() as u32,
                out_len: 0,
            };
            pages.write(PAGE - 16, request.as_bytes())?;
            pages.write(buffer, header.as_bytes())?;
            pages.write(buffer + 24, &report)?;
            ioctl_32(&device, number, pointer_32(pages.at(PAGE - 16))?)?;
            let quote = pages.read(buffer + 24, 5000)?;
            assert_eq!(quote_reportdata(&quote), Some(&reportdata));
        }
        // The structure has 12 bytes in a 32-bit program.
        pages.write(buffer, &report)?;
        pages.write(PAGE - 12, address.as_bytes())?;
        pages.write(PAGE - 4, 256_u32.as_bytes())?;
        let verify = || -> Result<nix::Result<()>> {
            let request = pointer_32(pages.at(PAGE - 12))?;
            Ok(ioctl_32(&device, TDX_CMD_VERIFYREPORT, request))
        };
        assert_eq!(verify()?, Ok(()));
        pages.write(buffer + 240, &[0; 8])?;
        assert_eq!(verify()?, Err(Errno::EBADMSG));
    }
    Ok(())
}

fn callers_of_32_bits_extend_registers(_: &Options) -> Result<()> {
    for node in [NODE, crate::device::LINUX_NODE] {
        let device = Device::open(node)?;
        let pages = Pages::below_4g(2)?;
        pages.unmap(1)?;
        for number in registers::NUMBERS {
            let before = registers::read(registers::RTMRS[3])?;
            // The structure has 49 bytes here, too; it ends before the hole.
            pages.write(PAGE - 49, &[0x32; 48])?;
            pages.write(PAGE - 1, &[3])?;
            ioctl_32(&device, number, pointer_32(pages.at(PAGE - 49))?)?;
            let after = registers::read(registers::RTMRS[3])?;
            assert_eq!(after, registers::extended(&before, &Digest([0x32; 48])));

            pages.write(PAGE - 1, &[4])?;
            let result = ioctl_32(&device, number, pointer_32(pages.at(PAGE - 49))?);
            assert_eq!(result, Err(Errno::EINVAL));
            let result = ioctl_32(&device, number, pointer_32(pages.at(PAGE - 48))?);
            assert_eq!(result, Err(Errno::EFAULT));
            assert_eq!(registers::read(registers::RTMRS[3])?, after);
        }
    }
    Ok(())
}

fn callers_of_32_bits_are_refused_by_the_c_driver(options: &Options) -> Result<()> {
    for node in nodes::of(options.driver) {
        let device = Device::open(node)?;
        let pages = Pages::below_4g(1)?;
        let result = ioctl_32(&device, TDX_CMD_GET_REPORT, pointer_32(pages.at(0))?);
        assert_eq!(result, Err(Errno::ENOTTY));
    }
    Ok(())
}
