// SPDX-License-Identifier: Apache-2.0 OR MIT

//! configfs-tsm: how Linux gives Quotes.
//!
//! Source: Linux, `Documentation/ABI/testing/configfs-tsm-report`.

use super::system::{self, System};
use super::Deadline;
use crate::{Error, ReportData, Step};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
                    entry.path.display()
                ),
            });
        }
        Ok(quote)
    }

    /// Removes entries that are nobody's any more.
    fn remove_left_behind(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(Owner::of);
            if owner.is_some_and(|owner| owner.is_gone()) {
                // Another process may be doing the same.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// Whose an entry is, which its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    /// The inode of the PID namespace, without which a PID says nothing: all containers have the same configfs.
    namespace: u64,
    pid: i32,
    /// Which of the entries of this process it is.
    number: u64,
}

impl Owner {
    /// This process, for an entry that is in its list from now on.
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        own().insert(number);
        Self {
            namespace: namespace(),
            pid: Pid::this().as_raw(),
            number,
        }
    }

    /// That in a name, if it is one of this library's.
    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        let owner = Self {
            namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none() && owner.pid > 0).then_some(owner)
    }

    fn name(&self) -> String {
        format!("{PREFIX}{}-{}-{}", self.namespace, self.pid, self.number)
    }

    /// Whether it ended before it could remove its entry. Of other namespaces, nothing is known.
    fn is_gone(&self) -> bool {
        if self.namespace != namespace() || self.namespace == UNKNOWN {
            return false;
        }
        if self.pid == Pid::this().as_raw() {
            // One that had the same PID: in a container that is often 1.
            return !own().contains(&self.number);
        }
        kill(Pid::from_raw(self.pid), None) == Err(Errno::ESRCH)
    }
}

/// Stands for a namespace that /proc does not tell.
const UNKNOWN: u64 = 0;

/// The inode of the PID namespace that this process is in.
fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(UNKNOWN, |data| data.ino())
}

/// The numbers of the entries that this process has.
fn own() -> MutexGuard<'static, BTreeSet<u64>> {
    static OWN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry, which goes when this is dropped.
struct Entry {
    path: PathBuf,
    owner: Owner,
}

impl Entry {
    fn new(folder: &Path) -> Result<Self, Error> {
        loop {
            let owner = Owner::new();
            let path = folder.join(owner.name());
            let Err(error) = fs::create_dir(&path) else {
                return Ok(Self { path, owner });
            };
            own().remove(&owner.number);
            return Err(match system::errno(&error) {
                // One is left that could not be removed, or another namespace has had the same inode.
                Errno::EEXIST => continue,
                // Said about an entry while it is made when no driver has registered.
                Errno::ENXIO => Error::Unsupported {
                    step: Step::Quote,
                    what: "configfs-tsm has no provider of reports".into(),
                },
                error => system::io_error(Step::Quote, folder, error),
            });
        }
    }

    fn error(&self, name: &str, error: Errno) -> Error {
        system::io_error(Step::Quote, &self.path.join(name), error)
    }

    fn text(&self, name: &str) -> Result<String, Error> {
        match fs::read_to_string(self.path.join(name)) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(error) => Err(self.error(name, system::errno(&error))),
        }
    }

    fn generation(&self) -> Result<u64, Error> {
        let text = self.text("generation")?;
        text.parse().map_err(|_| Error::Answer {
            step: Step::Quote,
            what: format!("the generation of {} is {text:?}", self.path.display()),
        })
    }

    fn set_inblob(&self, reportdata: &ReportData, deadline: Deadline) -> Result<(), Error> {
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .open(self.path.join("inblob"))?;
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
            File::open(self.path.join("outblob"))?
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
        // One that cannot be removed now is removed by the next one who asks.
        let _ = fs::remove_dir(&self.path);
        own().remove(&self.owner.number);
    }
}

/// Whether the same may succeed the next time: a signal came, or the driver is busy with another request.
fn interrupted(error: &io::Error) -> bool {
    matches!(
        system::errno(error),
        Errno::EINTR | Errno::EBUSY | Errno::EAGAIN
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_behind_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let other = Owner {
            namespace: namespace() + 1,
            pid: i32::MAX,
            number: 0,
        };
        let gone = Owner {
            namespace: namespace(),
            ..other
        };
        let namesake = Owner {
            pid: Pid::this().as_raw(),
            number: u64::MAX,
            ..gone
        };
        let init = Owner { pid: 1, ..gone };
        for owner in [other, gone, namesake, init] {
            fs::create_dir(path.join(owner.name())).expect("a folder");
        }
        for name in ["tdx-agent-x", "mine", "tdx-agent-1-0"] {
            fs::create_dir(path.join(name)).expect("a folder");
        }
        let live = Entry::new(path).expect("an entry");
        Tsm(path.to_owned()).remove_left_behind();
        let left = |owner: Owner| path.join(owner.name()).exists();
        assert_eq!(
            [other, gone, namesake, init, live.owner].map(left),
            [true, false, false, true, true]
        );
        drop(live);
        assert_eq!(fs::read_dir(path).expect("a folder").count(), 5);
    }

    #[test]
    fn entry_that_exists_is_no_obstacle() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Entry::new(folder.path()).expect("an entry").owner;
        for number in 1..20 {
            let owner = Owner {
                number: first.number + number,
                ..first
            };
            fs::create_dir(folder.path().join(owner.name())).expect("a folder");
        }
        let entry = Entry::new(folder.path()).expect("an entry");
        assert!(entry.owner.number >= first.number + 20);
    }

    #[test]
    fn owner_is_in_the_name() {
        let owner = Owner {
            namespace: 4_026_531_836,
            pid: 7,
            number: 3,
        };
        assert_eq!(owner.name(), "tdx-agent-4026531836-7-3");
        assert_eq!(Owner::of(&owner.name()), Some(owner));
        for name in [
            "tdx-agent-1-2",
            "tdx-agent-1-2-3-4",
            "tdx-agent-1-0-3",
            "other-1-2-3",
        ] {
            assert_eq!(Owner::of(name), None, "{name}");
        }
    }
}
