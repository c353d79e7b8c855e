// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The measurement registers: in sysfs, in a TDREPORT, and the ioctl that extends one.

use crate::device::Device;
use crate::memory::Pages;
use crate::report::sha384;
use anyhow::{bail, ensure, Context, Result};
use nix::errno::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tdx_uapi::ioctl::{TdxExtendRtmrReq, TDX_CMD_EXTEND_RTMR, TDX_CMD_EXTEND_RTMR_IOW};
use tdx_uapi::{Digest, TdInfo, TdReport};
use zerocopy::IntoBytes;

/// Where they are in sysfs.
pub(crate) const FOLDER: &str = "/sys/class/misc/tdx_guest/measurements";

/// The names of those that can only be read.
pub(crate) const FIXED: [&str; 4] = ["mrtd:sha384", "mrconfigid", "mrowner", "mrownerconfig"];

/// The names of RTMR0 to RTMR3.
pub(crate) const RTMRS: [&str; 4] = [
    "rtmr0:sha384",
    "rtmr1:sha384",
    "rtmr2:sha384",
    "rtmr3:sha384",
];

/// The numbers of the ioctl that extends an RTMR.
pub(crate) const NUMBERS: [u32; 2] = [TDX_CMD_EXTEND_RTMR, TDX_CMD_EXTEND_RTMR_IOW];

/// What becomes of a register that is extended.
pub(crate) fn extended(old: &Digest, data: &Digest) -> Digest {
    Digest(sha384(&[old.0, data.0].concat()))
}

/// The file of a register.
fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// The value of a register, from sysfs.
pub(crate) fn read(name: &str) -> Result<Digest> {
    let bytes = fs::read(path(name)).with_context(|| format!("cannot read {name}"))?;
    match bytes.try_into() {
        Ok(value) => Ok(Digest(value)),
        Err(bytes) => bail!("{name} has {} bytes", Vec::len(&bytes)),
    }
}

/// Opens the file of a register for writing.
pub(crate) fn open(name: &str) -> std::io::Result<File> {
    OpenOptions::new().write(true).open(path(name))
}

/// Extends a register by one write to its file, of any length at any place. Returns how many bytes were taken.
pub(crate) fn write(name: &str, data: &[u8], at: u64) -> Result<nix::Result<usize>> {
    let file = open(name).with_context(|| format!("cannot open {name}"))?;
    Ok(file.write_at(data, at).map_err(|error| {
        let number = error.raw_os_error();
        number.map_or(Errno::UnknownErrno, Errno::from_raw)
    }))
}

/// Extends a register by writing to its file, as it should be.
pub(crate) fn extend(name: &str, data: &Digest) -> Result<()> {
    let taken = write(name, &data.0, 0)?.with_context(|| format!("cannot extend {name}"))?;
    ensure!(taken == data.0.len(), "{taken} bytes were taken");
    Ok(())
}

/// Extends a register by the ioctl of that number.
pub(crate) fn extend_by_ioctl(
    device: &Device,
    number: u32,
    index: u8,
    data: &Digest,
) -> Result<nix::Result<()>> {
    let pages = Pages::new(1)?;
    let request = TdxExtendRtmrReq {
        data: data.0,
        index,
    };
    pages.write(0, request.as_bytes())?;
    let result = device.ioctl(number, pages.at(0));
    ensure!(
        pages.read(0, request.as_bytes().len())? == request.as_bytes(),
        "the request was written to"
    );
    Ok(result)
}

/// The TD's registers, from a TDREPORT.
pub(crate) fn reported(device: &Device) -> Result<TdInfo> {
    let report = device.get_report(&[0; 64])?;
    let report = TdReport::parse(&report)?;
    report.check_hashes(sha384)?;
    Ok(report.td_info.clone())
}
