// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Disks that are full, and writing that fails anywhere. What is done for that is done by processes of their own.

use super::{folder, Folder, ALONE, LIMIT};
use nix::mount::{mount, umount, MsFlags};
use nix::sched::{unshare, CloneFlags};
use nix::sys::resource::{setrlimit, Resource, RLIM_INFINITY};
use nix::sys::signal::{signal, SigHandler, Signal};
use nix::unistd::{getgid, getuid, setegid, seteuid};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};
use tdx_agent::replay::{Event, Logs, Replay};
use tdx_agent::runtime_log::{LogError, NewEvent, RtmrAccess, RuntimeLog};
use tdx_agent::{Error, Outcome};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// Runs something in a process of its own. Returns whether it succeeded, and what it complained of.
pub(super) fn alone(what: &str) -> (bool, String) {
    let program = env::current_exe().expect("this program");
    let output = Command::new(program).env(ALONE, what).output();
    let output = output.expect("to start");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), complaints)
}

pub(super) fn alone_succeeds(what: &str) {
    let (succeeded, complaints) = alone(what);
    assert!(succeeded, "{complaints}");
}

/// Lets a file grow to so many bytes and not beyond, as on a disk that is full then.
fn limit_files(bytes: u64) {
    setrlimit(Resource::RLIMIT_FSIZE, bytes, RLIM_INFINITY).expect("a limit");
}

/// Extends with files that may grow to any length that an extension leads through.
pub(super) fn write_to_limits() -> ExitCode {
    // SAFETY: This ignores a signal, and there is no other handler of it.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.expect("a signal");
    let mut seen = [0; 3];
    let mut more = 0;
    while seen[2] == 0 {
        let (_keep, folder) = folder();
        folder.extend("first").expect("an extension");
        let len = fs::metadata(folder.log_path()).expect("a log").len();
        limit_files(len + more);
        let result = folder.extend("second");
        limit_files(RLIM_INFINITY);
        let (kind, expected) = match &result {
            Err(LogError::Io { .. }) => (0, vec!["\"first\"", "\"third\""]),
            Err(LogError::NotCompleted { .. }) => (1, vec!["\"first\"", "\"second\"", "\"third\""]),
            Ok(false) => (2, vec!["\"first\"", "\"second\"", "\"third\""]),
            other => panic!("{more} bytes: {other:?}"),
        };
        seen[kind] += 1;
        let gap = folder.extend("third").expect("an extension");
        assert!(!gap, "{more} bytes");
        let (outcome, why, _) = folder.replayed();
        assert_eq!(outcome, Outcome::Holds, "{more} bytes: {why}");
        assert_eq!(folder.texts(), expected, "{more} bytes");
        extend_twice(more);
        more += 5;
    }
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
    ExitCode::SUCCESS
}

/// Registers that something else extends, too, as soon as they are extended.
struct Twice<'a>(&'a Folder);

impl RtmrAccess for Twice<'_> {
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error> {
        self.0.rtmr(rtmr)
    }

    fn extend_rtmr(&self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error> {
        self.0.extend_rtmr(rtmr, digest)?;
        self.0.extend_rtmr(rtmr, &Digest([7; 48]))
    }
}

/// Extends such registers, with a file that may grow to so many bytes.
fn extend_twice(more: u64) {
    let (_keep, folder) = folder();
    folder.extend("first").expect("an extension");
    let before = folder.rtmr(RtmrIndex::Rtmr3).expect("a register");
    let len = fs::metadata(folder.log_path()).expect("a log").len();
    limit_files(len + more);
    let event = NewEvent::text(RtmrIndex::Rtmr3, "second");
    let result = folder.log().extend(&Twice(&folder), &event, LIMIT);
    limit_files(RLIM_INFINITY);
    let extended = folder.rtmr(RtmrIndex::Rtmr3).expect("a register") != before;
    match &result {
        Ok(recorded) => assert!(extended && recorded.gap, "{more} bytes"),
        Err(LogError::NotCompleted { .. }) => assert!(extended, "{more} bytes"),
        Err(LogError::Io { .. }) => assert!(!extended, "{more} bytes"),
        other => panic!("{more} bytes: {other:?}"),
    }
    // The next writer finds it, if it was not noted.
    let gap = folder.extend("third").expect("an extension");
    assert!(gap || !extended || result.is_ok(), "{more} bytes");
    let noted = folder.replayed().2.events.iter().any(Event::is_gap);
    assert_eq!(noted, extended, "{more} bytes");
}

/// Is somebody else than whose the log is.
pub(super) fn be_nobody() -> ExitCode {
    const NOBODY: u32 = 65534;
    let (keep, folder) = folder();
    folder.extend("one").expect("an extension");
    // Others may look for the log, and for a folder of one.
    fs::set_permissions(keep.path(), Permissions::from_mode(0o755)).expect("a folder");
    setegid(NOBODY.into()).expect("another group");
    seteuid(NOBODY.into()).expect("another user");
    let missing = RuntimeLog::new(&keep.path().join("folder/log")).expect("this is Linux");
    let event = NewEvent::text(RtmrIndex::Rtmr3, "two");
    let results = [
        folder.log().extend(&folder, &event, LIMIT).map(drop),
        folder.log().read(&folder, LIMIT, |_| ()),
        missing.extend(&folder, &event, LIMIT).map(drop),
    ];
    seteuid(getuid()).expect("the same user as before");
    for result in results {
        assert!(
            matches!(result, Err(LogError::NoPermission { .. })),
            "{result:?}"
        );
    }
    ExitCode::SUCCESS
}

/// Lets this process, which has one thread, mount what nobody else sees.
pub(super) fn own_mounts() -> nix::Result<()> {
    let none = None::<&str>;
    let (user, group) = (getuid(), getgid());
    let mut flags = CloneFlags::CLONE_NEWNS;
    if !user.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags)?;
    if !user.is_root() {
        let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
        write("setgroups", "deny".into())
            .and_then(|()| write("uid_map", format!("0 {user} 1")))
            .and_then(|()| write("gid_map", format!("0 {group} 1")))
            .map_err(|_| nix::errno::Errno::EPERM)?;
    }
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
}

pub(super) fn fill_disk() -> ExitCode {
    own_mounts().expect("mounts of its own");
    let (keep, folder) = folder();
    let disk = keep.path().join("disk");
    fs::create_dir(&disk).expect("a folder");
    let (tmpfs, size) = (Some("tmpfs"), Some("size=64k"));
    mount(tmpfs, &disk, tmpfs, MsFlags::empty(), size).expect("a mount");
    fill_up(&folder, &disk);
    umount(&disk).expect("a mount");
    ExitCode::SUCCESS
}

fn fill_up(folder: &Folder, disk: &Path) {
    let log = RuntimeLog::new(&disk.join("log")).expect("this is Linux");
    let extend = |text: &str| log.extend(folder, &NewEvent::text(RtmrIndex::Rtmr3, text), LIMIT);
    let long = "x".repeat(5000);
    let mut times = 0;
    let error = loop {
        let before = folder.rtmr(RtmrIndex::Rtmr3).expect("a register");
        match extend(&long) {
            Ok(_) => times += 1,
            Err(error) => {
                assert_eq!(
                    folder.rtmr(RtmrIndex::Rtmr3).expect("a register"),
                    before,
                    "extended without a record"
                );
                break error;
            }
        }
    };
    assert!(matches!(error, LogError::Io { .. }), "{error}");
    assert!((2..10).contains(&times), "{times}");
    // When there is room again, it goes on.
    mount(
        None::<&str>,
        disk,
        None::<&str>,
        MsFlags::MS_REMOUNT,
        Some("size=1m"),
    )
    .expect("a mount");
    extend("at last").expect("an extension");
    let bytes = log.read(folder, LIMIT, <[u8]>::to_vec).expect("a log");
    let replay = Replay::new(&Logs {
        runtime: Some(&bytes),
        ..Logs::default()
    })
    .expect("a log");
    let found = RtmrIndex::ALL.map(|rtmr| folder.rtmr(rtmr).expect("a register"));
    assert_eq!(replay.registers, found);
    assert_eq!(replay.extensions(RtmrIndex::Rtmr3).count(), times + 1);
}
