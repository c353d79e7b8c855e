// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx-userspace-test verify`: whether TDREPORTs are of the platform that this TD runs on.

use crate::device::{Device, NODE};
use crate::memory::Pages;
use anyhow::{ensure, Context, Result};
use clap::Args;
use nix::errno::Errno;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use tdx_uapi::ioctl::{TdxVerifyReportReq, TDX_CMD_VERIFYREPORT};
use tdx_uapi::{REPORTMACSTRUCT_LEN, TDREPORT_LEN};
use zerocopy::IntoBytes;

/// The command line of `verify`.
#[derive(Args)]
pub(crate) struct Options {
    /// The device node to ask
    #[arg(long, value_name = "NODE", default_value = NODE)]
    device: String,

    /// TDREPORTs, 1024 bytes each
    #[arg(required = true, value_name = "FILE")]
    reports: Vec<PathBuf>,
}

/// Prints for each report whether it holds, or the name of the error. Succeeds if all of them do.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let device = Device::open(&options.device)?;
    let mut status = ExitCode::SUCCESS;
    for path in &options.reports {
        let report = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            report.len() == TDREPORT_LEN,
            "{} has {} bytes, and a TDREPORT {TDREPORT_LEN}",
            path.display(),
            report.len()
        );
        let length = REPORTMACSTRUCT_LEN as u32;
        match verify(&device, &report[..REPORTMACSTRUCT_LEN], length)? {
            Ok(()) => println!("{}: holds", path.display()),
            Err(error) => {
                println!("{}: {error:?}", path.display());
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

/// TDX_CMD_VERIFYREPORT of a REPORTMACSTRUCT, said to be of this length.
pub(crate) fn verify(device: &Device, reportmac: &[u8], rpm_len: u32) -> Result<Result<(), Errno>> {
    let pages = Pages::new(1)?;
    let request = TdxVerifyReportReq {
        reportmac: pages.at(1024).value(),
        rpm_len,
        padding: 0xffff_ffff,
    };
    pages.write(0, request.as_bytes())?;
    pages.write(1024, reportmac)?;
    Ok(device.ioctl(TDX_CMD_VERIFYREPORT, pages.at(0)))
}
