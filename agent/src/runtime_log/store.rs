// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The file of a runtime log.

use super::note::{self, Note};
use super::{LogError, RtmrAccess, RtmrIndex};
use crate::{visible, Deadline};
use nix::errno::Errno;
use nix::fcntl::{fallocate, FallocateFlags, Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tdx_firmware::event_log::{Event, EventErrorKind, EventLog};
use tdx_firmware::{HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// The file of a log, locked, with what is in it.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: Flock<File>,
    /// What is in the file: the header, and whole events.
    bytes: Vec<u8>,
    /// Where the log of an earlier boot is that was in the place of this one.
    pub(super) put_aside: Option<PathBuf>,
}

/// What is done with the log of another boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OtherBoot {
    /// It is put aside, and a new log is begun.
    PutAside,
    /// It is left as it is.
    Refuse,
}

/// How many characters of a boot's identifier go into the name of a file. A real one has 36.
const MAX_BOOT: usize = 64;

impl Store {
    /// Opens and locks the log of a boot, or one of another boot that goes on, and removes an event that was not written to
    /// its end.
    pub(super) fn open(
        path: &Path,
        boot: &str,
        registers: &impl RtmrAccess,
        other_boot: OtherBoot,
        deadline: Deadline,
    ) -> Result<Self, LogError> {
        let io = |source| LogError::io(path, source);
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(folder)
                .map_err(|source| LogError::io(folder, source))?;
        }
        let mut put_aside = None;
        loop {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                // Whoever can open it can lock it.
                .mode(0o600)
                .open(path)
                .map_err(io)?;
            let mut file = lock(file, path, deadline)?;
            // Who had the lock before may have put the file aside.
            if !is_at(&file, path) {
                continue;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(io)?;
            let mut store = Self {
                path: path.to_owned(),
                file,
                bytes,
                put_aside: put_aside.take(),
            };
            if note::is_unfinished(&store.bytes) {
                store.cut(0).map_err(io)?;
                store.append(&note::beginning(boot)).map_err(io)?;
                sync_folder(path).map_err(io)?;
                return Ok(store);
            }
            let found = store.boot()?;
            if found == boot || store.goes_on(registers)? {
                store.cut_torn()?;
                return Ok(store);
            }
            if other_boot == OtherBoot::Refuse {
                return Err(LogError::OtherBoot {
                    path: path.to_owned(),
                    found: visible(&found),
                    now: boot.to_owned(),
                });
            }
            put_aside = Some(store.put_aside(&found).map_err(io)?);
        }
    }

    /// What is in the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The events.
    pub(super) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let log = EventLog::parse(&self.bytes).ok();
        log.into_iter().flat_map(|log| log.events()).flatten()
    }

    /// Appends bytes, and has them on the disk when it returns. If not all can be written, none are.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = result {
            let end = self.bytes.len();
            // If that fails, too, the next one who opens the log finds an event that is cut.
            let _ = self.cut(end);
            return Err(error);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes sure that so many bytes can be appended.
    pub(super) fn reserve(&self, len: usize) -> Result<(), LogError> {
        let (offset, len) = (self.bytes.len() as i64, len as i64);
        match fallocate(
            &*self.file,
            FallocateFlags::FALLOC_FL_KEEP_SIZE,
            offset,
            len,
        ) {
            // Not every file system can; then the intent alone says what happened if the disk is full.
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
            Err(error) => Err(self.io(error.into())),
        }
    }

    /// Notes that the register has a value that is not of this log.
    pub(super) fn note_gap(&mut self, rtmr: RtmrIndex, found: &Digest) -> Result<(), LogError> {
        let note = Note::Gap { found: *found }.to_event(rtmr);
        self.append(&note).map_err(|source| self.io(source))
    }

    /// Notes a gap if the register has not the value that it had with the last event or, RTMR3, with the boot: the boot and
    /// the kernel extend RTMR2, and are in other logs. Returns whether it does.
    pub(super) fn note_gap_since_last(
        &mut self,
        rtmr: RtmrIndex,
        value: &Digest,
    ) -> Result<bool, LogError> {
        let begins_with = (rtmr == RtmrIndex::Rtmr3).then_some(Digest::ZERO);
        let last = self.last_value(rtmr).or(begins_with);
        let gap = last.is_some_and(|last| last != *value);
        if gap {
            self.note_gap(rtmr, value)?;
        }
        Ok(gap)
    }

    /// The value that a register had with the last event that is about it.
    fn last_value(&self, rtmr: RtmrIndex) -> Option<Digest> {
        let mut value = None;
        for event in self.events().filter(|event| event.mr.rtmr() == Some(rtmr)) {
            match Note::of(&event) {
                Some(Note::Intent { before, .. }) => value = Some(before),
                Some(Note::Gap { found }) => value = Some(found),
                Some(_) => {}
                None => {
                    if let (Some(before), Some(digest)) = (value, event.digest()) {
                        value = Some(Sha2.digest(&[&before.0, &digest.0]));
                    }
                }
            }
        }
        value
    }

    /// The value that a register has if the log ends with an intent that was fulfilled.
    fn intended(&self, rtmr: RtmrIndex) -> Option<Digest> {
        let last = self.events().last()?;
        match Note::of(&last)? {
            Note::Intent { before, digest, .. } if last.mr.rtmr() == Some(rtmr) => {
                Some(Sha2.digest(&[&before.0, &digest.0]))
            }
            _ => None,
        }
    }

    pub(super) fn io(&self, source: io::Error) -> LogError {
        LogError::io(&self.path, source)
    }

    fn not_a_log(&self, why: impl ToString) -> LogError {
        LogError::NotALog {
            path: self.path.clone(),
            why: why.to_string(),
        }
    }

    /// Which boot the log is of: it begins with a note of that, and with each boot that it goes on in, there is another.
    fn boot(&self) -> Result<String, LogError> {
        let log = EventLog::parse(&self.bytes).map_err(|error| self.not_a_log(error))?;
        let boot = |event: Event<'_>| match Note::of(&event) {
            Some(Note::Boot(boot)) => Some(String::from_utf8_lossy(boot).into_owned()),
            _ => None,
        };
        let mut events = log.events().map_while(Result::ok);
        match events.next().and_then(boot) {
            Some(first) => Ok(events.filter_map(boot).last().unwrap_or(first)),
            None => Err(self.not_a_log("it does not say which boot it is of")),
        }
    }

    /// Whether the registers have the values with which the log ends, an intent at its end fulfilled or not, and not all of
    /// them are zero: they go on when a kernel starts another one, which has a new boot.
    fn goes_on(&self, registers: &impl RtmrAccess) -> Result<bool, LogError> {
        let mut goes_on = false;
        for rtmr in RtmrIndex::ALL {
            let Some(last) = self.last_value(rtmr) else {
                continue;
            };
            let found = registers.rtmr(rtmr)?;
            if found != last && Some(found) != self.intended(rtmr) {
                return Ok(false);
            }
            goes_on |= found != Digest::ZERO;
        }
        Ok(goes_on)
    }

    /// Notes that the log is of this boot, if it was of another one until now.
    pub(super) fn name_boot(&mut self, boot: &str) -> Result<(), LogError> {
        if self.boot()? == boot {
            return Ok(());
        }
        let note = Note::Boot(boot.as_bytes()).to_event(RtmrIndex::Rtmr3);
        self.append(&note).map_err(|source| self.io(source))
    }

    /// Renames the log of another boot, to a name that no file has, and returns that.
    fn put_aside(&self, boot: &str) -> io::Result<PathBuf> {
        let boot = boot.replace(|one: char| !one.is_ascii_alphanumeric(), "-");
        let boot: String = boot.chars().take(MAX_BOOT).collect();
        for number in 0.. {
            let mut aside = self.path.clone().into_os_string();
            aside.push(format!(".{boot}"));
            if number != 0 {
                aside.push(format!(".{number}"));
            }
            // Nobody else renames to it: the lock is held.
            if fs::symlink_metadata(&aside).is_err() {
                fs::rename(&self.path, &aside)?;
                // Where a folder has the sizes of its files, as FAT's do, a new name begins with nothing.
                self.file.sync_all()?;
                sync_folder(&self.path)?;
                return Ok(aside.into());
            }
        }
        unreachable!("there are fewer files than numbers")
    }

    /// Removes an event at the end that was not written wholly.
    fn cut_torn(&mut self) -> Result<(), LogError> {
        let log = EventLog::parse(&self.bytes).map_err(|error| self.not_a_log(error))?;
        let mut events = log.events();
        let broken = events.by_ref().find_map(Result::err);
        let end = match broken {
            None => events.offset(),
            Some(error) => match error.kind {
                EventErrorKind::Cut { .. } | EventErrorKind::Size { .. } => error.offset,
                _ => return Err(self.not_a_log(error)),
            },
        };
        if end == self.bytes.len() {
            return Ok(());
        }
        self.cut(end).map_err(|source| self.io(source))
    }

    fn cut(&mut self, end: usize) -> io::Result<()> {
        self.file.set_len(end as u64)?;
        self.file.seek(SeekFrom::End(0))?;
        self.bytes.truncate(end);
        self.file.sync_data()
    }
}

fn lock(mut file: File, path: &Path, deadline: Deadline) -> Result<Flock<File>, LogError> {
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                if deadline.left().is_zero() {
                    return Err(LogError::Locked {
                        path: path.to_owned(),
                    });
                }
                file = back;
                thread::sleep(Duration::from_millis(2));
            }
            Err((_, error)) => return Err(LogError::io(path, error.into())),
        }
    }
}

/// Whether the path still names this file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Has the file's name on the disk, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
