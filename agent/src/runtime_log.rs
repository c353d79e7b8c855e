// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The log of what programs extend while a TD runs, so that RTMR2 and RTMR3 can be replayed, too.
//!
//! A log is a file in the form of the CC event log, which every reader of that reads. An extension is three steps under one
//! lock, each on the disk before the next one begins:
//!
//! 1. an *intent* is appended: an event of type EV_NO_ACTION, which is never extended, with the register's value and what it
//!    is to be extended with;
//! 2. the register is extended;
//! 3. the event itself is appended.
//!
//! Who opens a log that ends with an intent asks the register what became of it: it has the old value (the extension did not
//! happen), or the new one (the event is appended now), or another one (something else extended it; that is noted). So a
//! program may be killed at any moment, and the disk may be full: the log replays, or says where it does not.
//!
//! # One policy for all writers
//!
//! RTMR0 and RTMR1 are the firmware's, and are refused here. RTMR2 belongs to the boot and the kernel (IMA); RTMR3 is for
//! programs. All programs that extend a register take the lock of the same log, [`RuntimeLog::DEFAULT_PATH`], for as long as
//! they do. What extends without it is noticed by the next one that does: the register then has not the value with which the
//! log ends, or RTMR3 none of zeros where it has no event yet, and a *gap* is noted.
//!
//! # One log for each boot
//!
//! With a boot the registers begin anew, and so does the log: its first event names the boot. A log on a disk that a TD was
//! cut off from, by its host or by a failure of power, is that of an earlier boot then. Whoever extends a register next puts
//! it aside, under a name with that boot's identifier, and begins a new one; [`Recorded::put_aside`] says where it is. Who
//! only reads leaves it where it is and gets [`LogError::OtherBoot`]: what it says is not of the registers that there are now.
//!
//! A kernel that another one starts by kexec has a new boot, and the registers go on. A log that ends with the values that
//! the registers have, and not all of them zeros, goes on, too, behind a note of the new boot.
//!
//! # Whose the log is
//!
//! Whoever can open the file can take its lock, and keep all others from extending. So it is its owner's alone (mode 0600):
//! root's, who extends. Others get [`LogError::NoPermission`], to read it, too.

mod note;
mod recover;
mod store;

pub use note::Note;

use crate::{Deadline, Error, Td};
use recover::Pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{OtherBoot, Store};
use tdx_call::RtmrIndex;
use tdx_firmware::{EventType, HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// A runtime log.
#[derive(Clone, Debug)]
pub struct RuntimeLog {
    path: PathBuf,
    boot: String,
}

/// The registers that a log is about.
pub trait RtmrAccess {
    /// The value of a register.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error>;

    /// Extends a register.
    ///
    /// # Errors
    ///
    /// When it was not extended.
    fn extend_rtmr(&self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error>;
}

/// How long an access to a register may take.
const LIMIT: Duration = Duration::from_secs(10);

impl RtmrAccess for Td {
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error> {
        Ok(self.registers(LIMIT)?.rtmr[rtmr as usize])
    }

    fn extend_rtmr(&self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error> {
        self.extend(rtmr as usize, digest, LIMIT)
    }
}

/// What is to be extended and recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// The register: RTMR2 or RTMR3.
    pub rtmr: RtmrIndex,
    /// What it is extended with.
    pub digest: Digest,
    /// What the event is.
    pub event_type: EventType,
    /// What tells of it.
    pub data: &'a [u8],
}

impl<'a> NewEvent<'a> {
    /// Text that is measured as it is: an EV_ACTION with the SHA-384 of the text.
    pub fn text(rtmr: RtmrIndex, text: &'a str) -> Self {
        let digest = Sha2.digest(&[text.as_bytes()]);
        Self {
            rtmr,
            digest,
            event_type: EventType::ACTION,
            data: text.as_bytes(),
        }
    }

    /// Something that is measured, with its name: an EV_IPL, as boot loaders write them for files.
    pub const fn named(rtmr: RtmrIndex, digest: Digest, name: &'a str) -> Self {
        Self {
            rtmr,
            digest,
            event_type: EventType::IPL,
            data: name.as_bytes(),
        }
    }
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The register's value now.
    pub value: Digest,
    /// Whether something that is not in the log has extended the register since the log's last event.
    pub gap: bool,
    /// Where the log of an earlier boot is now, if there was one.
    pub put_aside: Option<PathBuf>,
}

/// Why nothing was recorded, or not for sure. Each says whether the register was extended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The register is not one that programs extend.
    #[error("{0:?} is the firmware's; programs extend RTMR3, or RTMR2")]
    Register(RtmrIndex),
    /// The data is too long for a log.
    #[error(
        "an event has {found} bytes of data, at most {} are taken",
        RuntimeLog::MAX_DATA
    )]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// The digest is not that of what the event says was measured, or its type is of events that are not extended. A log with
    /// it would be taken for changed. Nothing was extended.
    #[error("an event of the type {event_type} with this text and another digest would contradict itself; nothing was extended")]
    Contradiction {
        /// The event's type.
        event_type: EventType,
    },
    /// The file is something else.
    #[error("{} is no runtime log, and is left as it is: {why}", .path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The log is of another boot, in which the registers were others. Nothing was extended.
    #[error("{} is the log of boot {found}, and this is boot {now}, whose registers do not go on from there", .path.display())]
    OtherBoot {
        /// The file.
        path: PathBuf,
        /// The boot that it is of.
        found: String,
        /// The boot that this is.
        now: String,
    },
    /// The file must not be used: a log is its owner's alone. Nothing was extended.
    #[error("no permission for {}; nothing was extended", .path.display())]
    NoPermission {
        /// The file, or its folder.
        path: PathBuf,
    },
    /// The file could not be used. Nothing was extended.
    #[error("{}: {source}; nothing was extended", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The register was extended, and the event could not be appended. The next one who opens the log does it.
    #[error("{}: {source}; the register was extended, and the log has the intent: the next writer completes it", .path.display())]
    NotCompleted {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is locked by somebody else.
    #[error("{} is locked by another writer, who does not finish; nothing was extended", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The register could not be read or extended. Nothing was extended.
    #[error(transparent)]
    Access(#[from] Error),
    /// The extension failed, and it is not known whether the register was extended all the same: it could not be read then,
    /// or something else has extended it, too.
    #[error("{source}; the register may have been extended all the same: see where the log leads before it is tried again")]
    NotKnown {
        /// Why the extension failed.
        source: Error,
    },
    /// The register was extended, and that is recorded. Only its value could not be read.
    #[error("{source}; the register was extended, and that is recorded")]
    NotRead {
        /// Why it could not be read.
        source: Error,
    },
}

impl LogError {
    /// A failure to use a file before anything was extended.
    fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission { path },
            _ => Self::Io { path, source },
        }
    }

    /// What may help, in a sentence or two.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::NoPermission { .. } => {
                Some("run as root, whose the log of a TD is; nobody else can read it".into())
            }
            Self::Access(error) => error.advice(),
            _ => None,
        }
    }
}

impl RuntimeLog {
    /// Where the log of a TD is that all programs in it use.
    pub const DEFAULT_PATH: &'static str = "/run/tdx/runtime.log";

    /// The longest data of an event.
    pub const MAX_DATA: usize = 64 << 10;

    /// The log in that file, which need not exist, of the boot that this is.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`] or [`LogError::NoPermission`] when the kernel does not say which boot this is.
    pub fn new(path: &Path) -> Result<Self, LogError> {
        const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
        let boot = std::fs::read_to_string(BOOT_ID)
            .map_err(|source| LogError::io(Path::new(BOOT_ID), source))?;
        Ok(Self {
            path: path.to_owned(),
            boot: boot.trim_end().to_owned(),
        })
    }

    /// Extends a register and records it.
    ///
    /// # Errors
    ///
    /// [`LogError`] says whether the register was extended. An extension that failed and happened all the same is no error.
    pub fn extend(
        &self,
        registers: &impl RtmrAccess,
        event: &NewEvent<'_>,
        deadline: impl Into<Deadline>,
    ) -> Result<Recorded, LogError> {
        if matches!(event.rtmr, RtmrIndex::Rtmr0 | RtmrIndex::Rtmr1) {
            return Err(LogError::Register(event.rtmr));
        }
        if event.data.len() > Self::MAX_DATA {
            return Err(LogError::TooLong {
                found: event.data.len(),
            });
        }
        if note::contradicts_itself(event) {
            return Err(LogError::Contradiction {
                event_type: event.event_type,
            });
        }
        let (mut store, pending) = self.open(registers, OtherBoot::PutAside, deadline.into())?;
        let mut gap = pending == Pending::Unknown;

        let before = registers.rtmr(event.rtmr)?;
        gap |= store.note_gap_since_last(event.rtmr, &before)?;
        let intent = Note::Intent {
            before,
            digest: event.digest,
            event_type: event.event_type,
            data: event.data,
        };
        let intent = intent.to_event(event.rtmr);
        let whole = note::event(event.rtmr, event.event_type, &event.digest, event.data);
        // Room for what must not fail later: the event, and a note of a gap.
        store.reserve(intent.len() + whole.len() + Note::MAX_GAP)?;
        store.append(&intent).map_err(|source| store.io(source))?;
        match registers.extend_rtmr(event.rtmr, &event.digest) {
            Ok(()) => store
                .append(&whole)
                .map_err(|source| LogError::NotCompleted {
                    path: self.path.clone(),
                    source,
                })?,
            // Whether it was extended all the same is seen in the register.
            Err(source) => match recover::recover(&mut store, registers) {
                Ok(Pending::Completed) => {}
                Ok(Pending::Abandoned) => return Err(source.into()),
                _ => return Err(LogError::NotKnown { source }),
            },
        }
        let value = registers
            .rtmr(event.rtmr)
            .map_err(|source| LogError::NotRead { source })?;
        let expected = Sha2.digest(&[&before.0, &event.digest.0]);
        if value != expected {
            // If that fails, the next writer finds the gap.
            let _ = store.note_gap(event.rtmr, &value);
            gap = true;
        }
        Ok(Recorded {
            value,
            gap,
            put_aside: store.put_aside,
        })
    }

    /// Completes what a writer that was killed left, and gives the log to `use_it` while nobody can extend it.
    ///
    /// # Errors
    ///
    /// [`LogError`]; among them [`LogError::OtherBoot`].
    pub fn read<T>(
        &self,
        registers: &impl RtmrAccess,
        deadline: impl Into<Deadline>,
        use_it: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, LogError> {
        let (store, _) = self.open(registers, OtherBoot::Refuse, deadline.into())?;
        Ok(use_it(store.bytes()))
    }

    /// Opens the log of this boot, and completes it.
    fn open(
        &self,
        registers: &impl RtmrAccess,
        other_boot: OtherBoot,
        deadline: Deadline,
    ) -> Result<(Store, Pending), LogError> {
        let mut store = Store::open(&self.path, &self.boot, registers, other_boot, deadline)?;
        let pending = recover::recover(&mut store, registers)?;
        store.name_boot(&self.boot)?;
        Ok((store, pending))
    }
}
