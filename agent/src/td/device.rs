// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The driver's device node, in all generations of its ABI.

use super::system::{self, System};
use super::Deadline;
use crate::{Error, ReportData, Step};
use nix::errno::Errno;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use tdx_uapi::ioctl::{
    Tdx10ReportReq, TdxExtendRtmrReq, TdxQuoteHdr, TdxQuoteReq, TdxReportReq,
    TDX_1_0_CMD_GET_QUOTE, TDX_1_0_CMD_GET_REPORT, TDX_1_5_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE_IOWR, TDX_CMD_EXTEND_RTMR, TDX_CMD_EXTEND_RTMR_IOW, TDX_CMD_GET_QUOTE,
    TDX_CMD_GET_QUOTE_IOWR, TDX_CMD_GET_REPORT,
};
use tdx_uapi::{Digest, QuoteStatus, REPORTDATA_LEN, TDREPORT_LEN};
use zerocopy::IntoBytes as _;

/// The length of the buffer for a Quote: what the drivers outside of Linux's tree insist on.
const QUOTE_BUFFER: usize = 16 << 10;

/// The numbers of GET_QUOTE, in all drivers that have one. They do not collide with other requests.
const GET_QUOTE: [u32; 5] = [
    TDX_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE_IOWR,
    TDX_CMD_GET_QUOTE_IOWR,
    TDX_1_0_CMD_GET_QUOTE,
];

/// An open device node.
#[derive(Debug)]
pub(super) struct Device {
    file: File,
    path: PathBuf,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Absent {
    /// No node exists.
    Missing,
    /// One does, and cannot be opened.
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        error: Errno,
    },
}

impl Device {
    /// The node in Linux, and that of the TDX 1.0 driver.
    pub(super) const NODES: [&'static str; 2] = ["/dev/tdx_guest", "/dev/tdx-guest"];

    /// Opens the first node that can be opened.
    pub(super) fn open(system: &System) -> Result<Self, Absent> {
        let mut absent = Absent::Missing;
        for path in Self::NODES.map(|node| system.path(node)) {
            let open = |write| OpenOptions::new().read(true).write(write).open(&path);
            // Reading is enough for reports, and all that some systems allow.
            match open(true).or_else(|_| open(false)) {
                Ok(file) => return Ok(Self { file, path }),
                Err(error) => match system::errno(&error) {
                    Errno::ENOENT => {}
                    error => absent = Absent::Refused { path, error },
                },
            }
        }
        Err(absent)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// GET_REPORT, in the form that the driver knows.
    pub(super) fn report(
        &self,
        step: Step,
        reportdata: &ReportData,
        deadline: Deadline,
    ) -> Result<[u8; TDREPORT_LEN], Error> {
        let mut request = TdxReportReq {
            reportdata: reportdata.0,
            tdreport: [0; TDREPORT_LEN],
        };
        let result = self.repeated(deadline, || {
            // SAFETY: The request is what this ioctl takes, and exclusively borrowed.
            unsafe { self.ioctl(TDX_CMD_GET_REPORT, request.as_mut_bytes().as_mut_ptr()) }
        });
        match result {
            Ok(()) => Ok(request.tdreport),
            Err(Errno::ENOTTY) => {
                self.report_1_0(reportdata, deadline)
                    .map_err(|error| match error {
                        Errno::ENOTTY => Error::Unsupported {
                            step,
                            what: format!("{} knows no form of GET_REPORT", self.path.display()),
                        },
                        error => self.refused(step, error),
                    })
            }
            Err(error) => Err(self.refused(step, error)),
        }
    }

    fn report_1_0(
        &self,
        reportdata: &ReportData,
        deadline: Deadline,
    ) -> nix::Result<[u8; TDREPORT_LEN]> {
        let mut report = [0_u8; TDREPORT_LEN];
        let mut request = Tdx10ReportReq {
            subtype: 0,
            padding0: [0; 7],
            reportdata: reportdata.0.as_ptr().expose_provenance() as u64,
            rpd_len: REPORTDATA_LEN as u32,
            padding1: 0,
            tdreport: report.as_mut_ptr().expose_provenance() as u64,
            tdr_len: TDREPORT_LEN as u32,
            padding2: 0,
        };
        self.repeated(deadline, || {
            // SAFETY: The request is what this ioctl takes; it points to REPORTDATA, and to `report`, which nothing else uses
            // before this returns, with their lengths.
            unsafe { self.ioctl(TDX_1_0_CMD_GET_REPORT, request.as_mut_bytes().as_mut_ptr()) }
        })?;
        Ok(report)
    }

    /// A TDREPORT, and GET_QUOTE in the form that the driver knows.
    pub(super) fn quote(
        &self,
        reportdata: &ReportData,
        deadline: Deadline,
    ) -> Result<Vec<u8>, Error> {
        let step = Step::Quote;
        let report = self.report(step, reportdata, deadline)?;
        let mut buffer = vec![0; QUOTE_BUFFER];
        for number in GET_QUOTE {
            let header = TdxQuoteHdr {
                version: TdxQuoteHdr::VERSION,
                status: 0,
                in_len: TDREPORT_LEN as u32,
                out_len: 0,
            };
            buffer[..TdxQuoteHdr::LEN].copy_from_slice(header.as_bytes());
            buffer[TdxQuoteHdr::LEN..][..TDREPORT_LEN].copy_from_slice(&report);
            let mut request = TdxQuoteReq {
                buf: buffer.as_mut_ptr().expose_provenance() as u64,
                len: QUOTE_BUFFER as u64,
            };
            let result = self.repeated(deadline, || {
                // SAFETY: The request is what this ioctl takes; it points to the buffer, which nothing else uses before this
                // returns, with its length.
                unsafe { self.ioctl(number, request.as_mut_bytes().as_mut_ptr()) }
            });
            match result {
                Ok(()) => return answer(&buffer),
                Err(Errno::ENOTTY | Errno::EINVAL) => {}
                Err(error) => return Err(self.refused(step, error)),
            }
        }
        Err(Error::Unsupported {
            step,
            what: format!(
                "{} cannot get Quotes, and there is no configfs-tsm",
                self.path.display()
            ),
        })
    }

    /// EXTEND_RTMR, in the form that the driver knows.
    pub(super) fn extend(
        &self,
        index: u8,
        digest: &Digest,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let mut request = TdxExtendRtmrReq {
            data: digest.0,
            index,
        };
        for number in [TDX_CMD_EXTEND_RTMR, TDX_CMD_EXTEND_RTMR_IOW] {
            let result = self.repeated(deadline, || {
                // SAFETY: The request is what this ioctl takes, and exclusively borrowed.
                unsafe { self.ioctl(number, request.as_mut_bytes().as_mut_ptr()) }
            });
            match result {
                Ok(()) => return Ok(()),
                Err(Errno::ENOTTY) => {}
                // Open for reading only.
                Err(Errno::EBADF) => {
                    return Err(system::io_error(Step::Extend, &self.path, Errno::EACCES))
                }
                Err(error) => return Err(system::io_error(Step::Extend, &self.path, error)),
            }
        }
        Err(Error::Unsupported {
            step: Step::Extend,
            what: format!(
                "{} cannot extend registers, and sysfs has none",
                self.path.display()
            ),
        })
    }

    fn refused(&self, step: Step, error: Errno) -> Error {
        match error {
            Errno::EIO | Errno::EOPNOTSUPP | Errno::ETIMEDOUT if step == Step::Quote => {
                Error::NoQuotingService {
                    step,
                    source: error.into(),
                }
            }
            error => system::io_error(step, &self.path, error),
        }
    }

    /// Repeats what was interrupted, or found the TDX module or the driver's buffers busy.
    fn repeated(
        &self,
        deadline: Deadline,
        attempt: impl FnMut() -> nix::Result<()>,
    ) -> nix::Result<()> {
        deadline.repeat(attempt, |error| {
            matches!(error, Errno::EINTR | Errno::EBUSY | Errno::EAGAIN)
        })
    }

    /// # Safety
    ///
    /// `argument` points to what the request of that number takes, and nothing else uses that or what it points to.
    unsafe fn ioctl(&self, number: u32, argument: *mut u8) -> nix::Result<()> {
        let number = libc::c_ulong::from(number);
        // SAFETY: The caller promises what the request takes.
        let result = unsafe { libc::ioctl(self.file.as_raw_fd(), number, argument) };
        Errno::result(result).map(drop)
    }
}

/// The Quote in the buffer of GET_QUOTE.
fn answer(buffer: &[u8]) -> Result<Vec<u8>, Error> {
    let step = Step::Quote;
    let wrong = |what: String| Error::Answer { step, what };
    let (header, data) = TdxQuoteHdr::parse(buffer).map_err(|error| wrong(error.to_string()))?;
    match header.status() {
        QuoteStatus::SUCCESS => {}
        status => {
            return Err(Error::NoQuotingService {
                step,
                source: std::io::Error::other(status.to_string()),
            })
        }
    }
    let length = header
        .answer_len(data.len())
        .map_err(|error| wrong(error.to_string()))?;
    Ok(data[..length].to_owned())
}
