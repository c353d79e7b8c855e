// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The device nodes and what can be asked of them.

use crate::memory::{Address, Pages};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::ptr;
use tdx_uapi::ioctl::{Tdx10ReportReq, TdxReportReq, TDX_1_0_CMD_GET_REPORT, TDX_CMD_GET_REPORT};
use tdx_uapi::{Hex, TdReport, REPORTDATA_LEN, TDREPORT_LEN};
use zerocopy::IntoBytes;

/// The node that Linux's own driver has, and ours.
pub(crate) const LINUX_NODE: &str = "/dev/tdx_guest";

/// The node that only our driver has.
pub(crate) const NODE: &str = "/dev/tdx-guest";

/// The bytes of a TDREPORT.
pub(crate) type Report = [u8; TDREPORT_LEN];

/// What goes into a TDREPORT.
pub(crate) type ReportData = [u8; REPORTDATA_LEN];

/// An open device node.
#[derive(Debug)]
pub(crate) struct Device(File);

impl Device {
    /// Opens a node for reading and writing, as most programs do.
    pub(crate) fn open(node: &str) -> Result<Self> {
        Self::open_with(node, OpenOptions::new().read(true).write(true))
            .with_context(|| format!("cannot open {node}: is the driver loaded, and is this a TD?"))
    }

    /// Opens a node in another way.
    pub(crate) fn open_with(node: &str, options: &OpenOptions) -> std::io::Result<Self> {
        options.open(node).map(Self)
    }

    /// The file itself, for system calls other than ioctl.
    pub(crate) const fn file(&self) -> &File {
        &self.0
    }

    /// Asks for anything, of anywhere.
    pub(crate) fn ioctl(&self, number: u32, argument: Address<'_>) -> nix::Result<()> {
        // SAFETY: The kernel writes to the argument at most, which is no memory that Rust knows of.
        let result = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::c_ulong::from(number),
                argument.value(),
            )
        };
        match Errno::result(result)? {
            0 => Ok(()),
            // None of these ioctls returns anything else; a caller would take it for success.
            other => panic!("ioctl {number:#x} returned {other}"),
        }
    }

    /// TDX_CMD_GET_REPORT on a request at `address`.
    pub(crate) fn get_report_at(&self, address: Address<'_>) -> nix::Result<()> {
        self.ioctl(TDX_CMD_GET_REPORT, address)
    }

    /// TDX_CMD_GET_REPORT on a request of the usual kind.
    pub(crate) fn get_report_into(&self, request: &mut TdxReportReq) -> nix::Result<()> {
        let number = libc::c_ulong::from(TDX_CMD_GET_REPORT);
        // SAFETY: The request is what this ioctl takes, and exclusively borrowed.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), number, ptr::from_mut(request)) };
        match Errno::result(result)? {
            0 => Ok(()),
            other => panic!("TDX_CMD_GET_REPORT returned {other}"),
        }
    }

    /// TDX_CMD_GET_REPORT, as a well-behaved program uses it.
    pub(crate) fn get_report(&self, reportdata: &ReportData) -> nix::Result<Report> {
        let mut request = TdxReportReq {
            reportdata: *reportdata,
            tdreport: [0; TDREPORT_LEN],
        };
        self.get_report_into(&mut request)?;
        assert_eq!(
            request.reportdata, *reportdata,
            "the driver wrote to REPORTDATA"
        );
        Ok(request.tdreport)
    }

    /// TDX_1_0_CMD_GET_REPORT: writes `request` to `at` and hands the driver that address.
    pub(crate) fn get_report_1_0(
        &self,
        pages: &Pages,
        at: usize,
        request: &Tdx10ReportReq,
    ) -> Result<nix::Result<()>> {
        pages
            .write(at, request.as_bytes())
            .context("cannot write the request")?;
        Ok(self.ioctl(TDX_1_0_CMD_GET_REPORT, pages.at(at)))
    }
}

/// Asserts that a report is for the REPORTDATA that was asked for.
#[track_caller]
pub(crate) fn assert_carries(report: &[u8], reportdata: &ReportData) {
    const AT: usize = offset_of!(TdReport, mac.reportdata);
    let carried = &report[AT..][..REPORTDATA_LEN];
    assert!(
        carried == reportdata,
        "the report is for other REPORTDATA than was asked for\nasked: {}\nfound: {}",
        Hex(reportdata),
        Hex(carried)
    );
}

/// A request of the TDX 1.0 form as it should be.
pub(crate) fn request_1_0(reportdata: Address<'_>, tdreport: Address<'_>) -> Tdx10ReportReq {
    Tdx10ReportReq {
        subtype: 0,
        padding0: [0; 7],
        reportdata: reportdata.value(),
        rpd_len: REPORTDATA_LEN as u32,
        padding1: 0,
        tdreport: tdreport.value(),
        tdr_len: TDREPORT_LEN as u32,
        padding2: 0,
    }
}

/// REPORTDATA that nobody else asks for.
pub(crate) fn random_reportdata() -> Result<ReportData> {
    let mut bytes = [0; REPORTDATA_LEN];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}
