// SPDX-License-Identifier: Apache-2.0 OR MIT

//! 32-bit callers, who come in by another door of the kernel: `int $0x80`, which a 64-bit program can use, too.

use super::nodes;
use crate::device::{random_reportdata, Device, NODE};
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::{Driver, Options};
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::arch::asm;
use std::os::fd::AsRawFd;
use tdx_uapi::ioctl::{TDX_1_0_CMD_GET_REPORT, TDX_CMD_GET_REPORT};

pub(super) const TESTS: &[Test] = &[
    test!(callers_of_32_bits_get_reports).only(&[Driver::Rust]),
    test!(callers_of_32_bits_get_the_same_errors).only(&[Driver::Rust]),
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

fn callers_of_32_bits_are_refused_by_the_c_driver(options: &Options) -> Result<()> {
    for node in nodes::of(options.driver) {
        let device = Device::open(node)?;
        let pages = Pages::below_4g(1)?;
        let result = ioctl_32(&device, TDX_CMD_GET_REPORT, pointer_32(pages.at(0))?);
        assert_eq!(result, Err(Errno::ENOTTY));
    }
    Ok(())
}
