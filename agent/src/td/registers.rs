// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The measurement registers, and those in sysfs.
//!
//! Source: Linux, `Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest`, since 6.16.

use super::system::{self, System};
use super::Deadline;
use crate::{Error, Step};
use nix::errno::Errno;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tdx_uapi::{Digest, TdInfo};

/// What was measured in a TD.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registers {
    /// MRTD: the TD's initial content, its virtual firmware.
    pub mrtd: Digest,
    /// MRCONFIGID.
    pub mr_config_id: Digest,
    /// MROWNER.
    pub mr_owner: Digest,
    /// MROWNERCONFIG.
    pub mr_owner_config: Digest,
    /// RTMR0 to RTMR3.
    pub rtmr: [Digest; 4],
}

impl From<&TdInfo> for Registers {
    fn from(info: &TdInfo) -> Self {
        Self {
            mrtd: info.mrtd,
            mr_config_id: info.mr_config_id,
            mr_owner: info.mr_owner,
            mr_owner_config: info.mr_owner_config,
            rtmr: info.rtmr,
        }
    }
}

/// The folder of registers.
#[derive(Debug)]
pub(super) struct SysfsRegisters(PathBuf);

impl SysfsRegisters {
    /// Those of either device.
    const FOLDERS: [&'static str; 2] = [
        "/sys/devices/virtual/misc/tdx_guest/measurements",
        "/sys/devices/virtual/misc/tdx-guest/measurements",
    ];

    /// The folder, if the driver has one.
    pub(super) fn find(system: &System) -> Option<Self> {
        let folders = Self::FOLDERS.map(|folder| system.path(folder));
        folders.into_iter().find(|path| path.is_dir()).map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn read(&self) -> Result<Registers, Error> {
        Ok(Registers {
            mrtd: self.register("mrtd:sha384")?,
            mr_config_id: self.register("mrconfigid")?,
            mr_owner: self.register("mrowner")?,
            mr_owner_config: self.register("mrownerconfig")?,
            rtmr: [
                self.register(RTMRS[0])?,
                self.register(RTMRS[1])?,
                self.register(RTMRS[2])?,
                self.register(RTMRS[3])?,
            ],
        })
    }

    fn register(&self, name: &str) -> Result<Digest, Error> {
        let path = self.0.join(name);
        let bytes = fs::read(&path)
            .map_err(|error| system::io_error(Step::Registers, &path, system::errno(&error)))?;
        let found = bytes.len();
        bytes.try_into().map(Digest).map_err(|_| Error::Answer {
            step: Step::Registers,
            what: format!("{} has {found} bytes, expected 48", path.display()),
        })
    }

    pub(super) fn extend(
        &self,
        rtmr: usize,
        digest: &Digest,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let path = self.0.join(RTMRS[rtmr]);
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            // All at once: the driver takes nothing else, and a second write would extend again.
            match file.write(&digest.0)? {
                written if written == digest.0.len() => Ok(()),
                _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
            }
        };
        let again = |error: &io::Error| matches!(system::errno(error), Errno::EBUSY | Errno::EINTR);
        deadline
            .repeat(write, again)
            .map_err(|error| match system::errno(&error) {
                Errno::EBUSY => deadline.passed(Step::Extend),
                error => system::io_error(Step::Extend, &path, error),
            })
    }
}

/// The names of the runtime registers.
const RTMRS: [&str; 4] = [
    "rtmr0:sha384",
    "rtmr1:sha384",
    "rtmr2:sha384",
    "rtmr3:sha384",
];
