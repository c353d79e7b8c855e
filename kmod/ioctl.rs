// SPDX-License-Identifier: GPL-2.0-only

//! What an open file of `/dev/tdx-guest` does: the ioctls of [`tdx_uapi::ioctl`].

mod extend;
mod quote;
mod verify;

use crate::{
    cpu,
    device::{
        Attributes,
        Context,
        Node, //
    },
    quote::Quotes,
    registers::TdRegisters,
    report::Reporter, //
};
use core::mem::offset_of;
use kernel::{
    bindings,
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};
use tdx_uapi::{
    ioctl::{
        Tdx10ReportReq,
        TdxReportReq,
        TDX_1_0_CMD_GET_QUOTE,
        TDX_1_0_CMD_GET_REPORT,
        TDX_1_5_CMD_GET_QUOTE,
        TDX_1_5_CMD_GET_QUOTE_IOWR,
        TDX_CMD_EXTEND_RTMR,
        TDX_CMD_EXTEND_RTMR_IOW,
        TDX_CMD_GET_QUOTE,
        TDX_CMD_GET_QUOTE_IOWR,
        TDX_CMD_GET_REPORT,
        TDX_CMD_VERIFYREPORT, //
    },
    REPORTDATA_LEN,
    TDREPORT_LEN, //
};

/// Whoever has the device open.
///
/// Requests exclude each other nowhere, be they of one open file or of many.
pub(crate) struct Opener {
    /// Where this opener's TDREPORTs come from.
    reporter: Reporter,

    /// Where everybody's Quotes come from.
    quotes: Arc<Quotes>,

    /// The registers, for those who may extend them.
    registers: Arc<TdRegisters>,
}

/// What all openers have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Where Quotes come from.
    pub(crate) quotes: Arc<Quotes>,

    /// The measurement registers.
    pub(crate) registers: Arc<TdRegisters>,
}

// SAFETY: The attributes are in an `Arc`.
unsafe impl Context for Shared {
    fn attributes(&self) -> &Attributes {
        self.registers.attributes()
    }
}

/// A node whose files are [`Opener`]s.
pub(crate) type OpenerNode = Node<Opener, Shared>;

#[vtable]
impl MiscDevice for Opener {
    type Ptr = KBox<Self>;

    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        let reporter = Reporter::new(cpu::td()?);
        // SAFETY: No device of `Opener` is registered but those of `OpenerNode`.
        let Shared { quotes, registers } = unsafe { OpenerNode::context(misc) }.clone();
        let opener = Self {
            reporter,
            quotes,
            registers,
        };
        Ok(KBox::new(opener, GFP_KERNEL)?)
    }

    /// Every node serves every ioctl: no two generations of the ABI have a number in common, so a
    /// program gets what it means on whichever node it finds.
    fn ioctl(opener: &Self, file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let arg = UserPtr::from_addr(arg);
        match cmd {
            TDX_CMD_GET_REPORT => opener.get_report(arg)?,
            TDX_1_0_CMD_GET_REPORT => opener.get_report_1_0(arg)?,
            _ => opener.other(file, cmd, arg)?,
        }
        Ok(0)
    }

    /// 32-bit programs are served where the structure is the same for them. [`Tdx10ReportReq`] is
    /// not: TDX 1.0 declared it without padding, so a 32-bit compiler laid it out in another way.
    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(opener: &Self, file: &File, cmd: u32, arg: usize) -> Result<isize> {
        // As C's `compat_ptr()` does on x86.
        let arg = UserPtr::from_addr(arg & 0xffff_ffff);
        match cmd {
            TDX_CMD_GET_REPORT => opener.get_report(arg)?,
            _ => opener.other(file, cmd, arg)?,
        }
        Ok(0)
    }

    /// `/proc/PID/fdinfo/FD`: how much of the memory for Quotes is in the hands of the host.
    fn show_fdinfo(opener: &Self, m: &SeqFile, _file: &File) {
        let counts = opener.quotes.counts();
        seq_print!(
            m,
            "quote-buffers:\t{}\nquote-buffers-unanswered:\t{}\nquote-buffers-lost:\t{}\n",
            counts.shared,
            counts.unanswered,
            counts.lost
        );
    }
}

impl Opener {
    /// The ioctls whose structures are the same for 32-bit programs, and which take longer anyway.
    #[inline(never)]
    fn other(&self, file: &File, cmd: u32, arg: UserPtr) -> Result {
        match cmd {
            TDX_CMD_GET_QUOTE
            | TDX_CMD_GET_QUOTE_IOWR
            | TDX_1_0_CMD_GET_QUOTE
            | TDX_1_5_CMD_GET_QUOTE
            | TDX_1_5_CMD_GET_QUOTE_IOWR => self.get_quote(arg),
            TDX_CMD_VERIFYREPORT => verify::verify_report(arg),
            TDX_CMD_EXTEND_RTMR | TDX_CMD_EXTEND_RTMR_IOW => self.extend_rtmr(file, arg),
            _ => Err(ENOTTY),
        }
    }

    /// [`TDX_CMD_GET_REPORT`] on a [`TdxReportReq`].
    fn get_report(&self, req: UserPtr) -> Result {
        self.report(
            req.wrapping_byte_add(offset_of!(TdxReportReq, reportdata)),
            req.wrapping_byte_add(offset_of!(TdxReportReq, tdreport)),
        )
    }

    /// [`TDX_1_0_CMD_GET_REPORT`] on a [`Tdx10ReportReq`].
    fn get_report_1_0(&self, req: UserPtr) -> Result {
        let req = {
            let mut bytes = [0; size_of::<Tdx10ReportReq>()];
            copy_from_user(&mut bytes, req)?;
            let req: Tdx10ReportReq = zerocopy::transmute!(bytes);
            req
        };

        if req.subtype != 0
            || req.rpd_len as usize != REPORTDATA_LEN
            || req.tdr_len as usize != TDREPORT_LEN
        {
            return Err(EINVAL);
        }
        self.report(
            UserPtr::from_addr(req.reportdata as usize),
            UserPtr::from_addr(req.tdreport as usize),
        )
    }

    /// Writes to `tdreport` the TDREPORT that carries the REPORTDATA at `reportdata`.
    fn report(&self, reportdata: UserPtr, tdreport: UserPtr) -> Result {
        self.reporter.report(
            |to| copy_from_user(to, reportdata),
            |report| copy_to_user(tdreport, report),
        )
    }
}

/// Copies `N` bytes from userspace to where they are needed.
///
/// [`UserSlice`](kernel::uaccess::UserSlice) takes them over the stack, or checks at run time that
/// `to` is all of one object. For a length that is known at compile time C does neither.
///
/// # Errors
///
/// `EFAULT` if one of them cannot be read. Some may have been copied.
fn copy_from_user<const N: usize>(to: &mut [u8; N], from: UserPtr) -> Result {
    // SAFETY: `to` is `N` bytes that may be written to.
    match unsafe { bindings::_copy_from_user(to.as_mut_ptr().cast(), from.as_const_ptr(), N) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

/// Copies `N` bytes to userspace.
///
/// # Errors
///
/// `EFAULT` if one of them cannot be written. Some may have been copied.
fn copy_to_user<const N: usize>(to: UserPtr, from: &[u8; N]) -> Result {
    // SAFETY: `from` is `N` bytes that may be read.
    match unsafe { bindings::_copy_to_user(to.as_mut_ptr().cast(), from.as_ptr().cast(), N) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}
