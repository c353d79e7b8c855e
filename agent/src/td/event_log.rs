// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The event log, as the kernel shows it.

use super::system::{self, System};
use crate::{Error, Step};
use nix::errno::Errno;
use std::fs::{self, File};
use std::io::Read as _;

/// Bounds what is read of a file that the host has a say in.
const MAX_LEN: u64 = 64 << 20;

/// The event log of the firmware and of what it started, with the ACPI table that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawEventLog {
    /// The ACPI table CCEL.
    pub table: Vec<u8>,
    /// The log, with what its area is filled with behind the last event.
    pub log: Vec<u8>,
}

impl RawEventLog {
    const TABLE: &'static str = "/sys/firmware/acpi/tables/CCEL";
    const LOG: &'static str = "/sys/firmware/acpi/tables/data/CCEL";

    pub(super) fn read(system: &System) -> Result<Self, Error> {
        let step = Step::EventLog;
        let read = |name| {
            let path = system.path(name);
            let mut bytes = Vec::new();
            File::open(&path)
                .and_then(|file| file.take(MAX_LEN).read_to_end(&mut bytes))
                .map_err(|error| match system::errno(&error) {
                    Errno::ENOENT => Error::Unsupported {
                        step,
                        what: format!(
                            "the firmware left no event log ({} does not exist), as when a kernel is started without a TDVF",
                            path.display()
                        ),
                    },
                    error => system::io_error(step, &path, error),
                })?;
            Ok(bytes)
        };
        // A kernel may have the table without showing the log.
        if fs::exists(system.path(Self::TABLE)).unwrap_or(false)
            && !fs::exists(system.path(Self::LOG)).unwrap_or(true)
        {
            return Err(Error::Unsupported {
                step,
                what: "the firmware left an event log, but this kernel does not show it (Linux does since 6.1)".into(),
            });
        }
        Ok(Self {
            table: read(Self::TABLE)?,
            log: read(Self::LOG)?,
        })
    }
}
