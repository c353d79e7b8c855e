// SPDX-License-Identifier: Apache-2.0 OR MIT

//! configfs-tsm: how Linux gives Quotes.
//!
//! Source: Linux, `Documentation/ABI/testing/configfs-tsm-report`.

use super::system::{self, System};
use super::Deadline;
use crate::{Error, ReportData, Step};
use nix::errno::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name that the driver has as a provider of reports.
const PROVIDER: &str = "tdx_guest";

/// What the names of entries of this library begin with.
const PREFIX: &str = "tdx-agent-";

/// What a Quote never has more of: the longest that the driver's shared buffer has room for.
const MAX_LEN: u64 = 128 << 10;

/// The folder of reports.
#[derive(Clone, Debug)]
pub(super) struct Tsm(PathBuf);

impl Tsm {
    /// Where it is.
    pub(super) const FOLDER: &'static str = "/sys/kernel/config/tsm/report";

    /// The folder, if configfs is mounted and some driver gives reports.
    pub(super) fn find(system: &System) -> Option<Self> {
        let path = system.path(Self::FOLDER);
        path.is_dir().then_some(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Asks for a Quote in an entry of its own.
    pub(super) fn quote(
        &self,
        reportdata: &ReportData,
        deadline: Deadline,
    ) -> Result<Vec<u8>, Error> {
        let step = Step::Quote;
        self.remove_left_behind();
        let entry = Entry::new(&self.0)?;
        let provider = entry.text("provider")?;
        if provider != PROVIDER {
            return Err(Error::Unsupported {
                step,
                what: format!("configfs-tsm gives reports of {provider:?}, not of {PROVIDER:?}"),
            });
        }
        let before = entry.generation()?;
        entry.set_inblob(reportdata, deadline)?;
        let quote = entry.outblob(deadline)?;
        let after = entry.generation()?;
        if after != before.wrapping_add(1) {
            return Err(Error::Answer {
                step,
                what: format!(
                    "somebody else wrote to {}: its generation went from {before} to {after}",
                    entry.0.display()
                ),
            });
        }
        Ok(quote)
    }

    /// Removes entries of processes that ended before they could do it themselves.
    fn remove_left_behind(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| {
                name.strip_prefix(PREFIX)?
                    .split('-')
                    .next()?
                    .parse::<u32>()
                    .ok()
            });
            if process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
            {
                // Another process may be doing the same.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// An entry, which goes when this is dropped.
struct Entry(PathBuf);

impl Entry {
    fn new(folder: &Path) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{}-{number}", process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(match system::errno(&error) {
                // Said about an entry while it is made when no driver has registered.
                Errno::ENXIO => Error::Unsupported {
                    step: Step::Quote,
                    what: "configfs-tsm has no provider of reports".into(),
                },
                error => system::io_error(Step::Quote, folder, error),
            }),
        }
    }

    fn error(&self, name: &str, error: Errno) -> Error {
        system::io_error(Step::Quote, &self.0.join(name), error)
    }

    fn text(&self, name: &str) -> Result<String, Error> {
        match fs::read_to_string(self.0.join(name)) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(error) => Err(self.error(name, system::errno(&error))),
        }
    }

    fn generation(&self) -> Result<u64, Error> {
        let text = self.text("generation")?;
        text.parse().map_err(|_| Error::Answer {
            step: Step::Quote,
            what: format!("the generation of {} is {text:?}", self.0.display()),
        })
    }

    fn set_inblob(&self, reportdata: &ReportData, deadline: Deadline) -> Result<(), Error> {
        let write = || {
            let mut file = OpenOptions::new().write(true).open(self.0.join("inblob"))?;
            // All at once: every write is another report.
            match file.write(&reportdata.0)? {
                written if written == reportdata.0.len() => Ok(()),
                _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
            }
        };
        deadline
            .repeat(write, interrupted)
            .map_err(|error| self.error("inblob", system::errno(&error)))
    }

    fn outblob(&self, deadline: Deadline) -> Result<Vec<u8>, Error> {
        let read = || {
            let mut quote = Vec::new();
            File::open(self.0.join("outblob"))?
                .take(MAX_LEN)
                .read_to_end(&mut quote)?;
            Ok(quote)
        };
        deadline
            .repeat(read, interrupted)
            .map_err(|error| match system::errno(&error) {
                Errno::EIO
                | Errno::EOPNOTSUPP
                | Errno::ETIMEDOUT
                | Errno::ENXIO
                | Errno::EBADMSG => Error::NoQuotingService {
                    step: Step::Quote,
                    source: error,
                },
                Errno::EBUSY | Errno::EINTR | Errno::EAGAIN => deadline.passed(Step::Quote),
                error => self.error("outblob", error),
            })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // One that cannot be removed now is removed by the next process that asks.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether the same may succeed the next time: a signal came, or the driver is busy with another request.
fn interrupted(error: &io::Error) -> bool {
    matches!(
        system::errno(error),
        Errno::EINTR | Errno::EBUSY | Errno::EAGAIN
    )
}
