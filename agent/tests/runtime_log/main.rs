// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The runtime log under all that can happen to its writers.
//!
//! The registers are a file here, which is extended by one `pwrite`, as a TD's are by one TDCALL: between any two system calls
//! a writer may be killed.

#![cfg(target_os = "linux")]

mod boots;
mod disk;
mod failing;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{getuid, Pid};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, thread};

use libtest_mimic::{Arguments, Trial};
use tdx_agent::replay::{Logs, Replay};
use tdx_agent::runtime_log::{LogError, NewEvent, RtmrAccess, RuntimeLog};
use tdx_agent::{Error, Outcome};
use tdx_call::RtmrIndex;
use tdx_firmware::{EventType, HashEngine as _, Sha2};
use tdx_uapi::Digest;

const LIMIT: Duration = Duration::from_secs(20);

/// Names the folder that a writer works in, in a process that is one.
const WRITER: &str = "TDX_TEST_RUNTIME_LOG_WRITER";

/// Names what a process does that has to be by itself.
const ALONE: &str = "TDX_TEST_RUNTIME_LOG_ALONE";

fn main() -> ExitCode {
    if let Some(folder) = env::var_os(WRITER) {
        return write_two(&Folder(folder.into()));
    }
    match env::var(ALONE).as_deref() {
        Ok("limits") => return disk::write_to_limits(),
        Ok("mounts") => {
            return disk::own_mounts().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Ok("full disk") => return disk::fill_disk(),
        Ok("nobody") => return disk::be_nobody(),
        _ => {}
    }
    let test = |name, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let tests = vec![
        test("extensions_replay", extensions_replay),
        test(
            "writer_may_be_killed_between_any_two_system_calls",
            killed_anywhere,
        ),
        test("writers_at_once_do_not_disturb_each_other", writers_at_once),
        test(
            "extension_without_the_log_is_noticed_and_located",
            extension_without_the_log,
        ),
        test(
            "event_that_was_not_extended_is_named",
            event_that_was_not_extended,
        ),
        test(
            "refused_extension_leaves_a_log_that_replays",
            failing::refused_extension,
        ),
        test(
            "failed_extension_is_looked_for_in_the_register",
            failing::failed_extension,
        ),
        test(
            "extension_whose_value_cannot_be_read_is_recorded",
            failing::unreadable_value,
        ),
        test("log_is_its_owners_alone", owners_alone),
        test("others_have_no_permission", || {
            disk::alone_succeeds("nobody")
        })
        .with_ignored_flag(!getuid().is_root()),
        test("another_file_is_left_as_it_is", another_file),
        test(
            "registers_of_the_firmware_are_refused",
            registers_of_the_firmware,
        ),
        test("writing_may_fail_at_any_byte", || {
            disk::alone_succeeds("limits")
        }),
        test("full_disk_extends_nothing", || {
            disk::alone_succeeds("full disk")
        })
        // Some systems let nobody but root mount anything.
        .with_ignored_flag(!disk::alone("mounts").0),
        test("log_of_another_boot_is_kept", boots::another_boot),
        test(
            "beginning_that_another_boot_did_not_finish_is_no_obstacle",
            boots::unfinished_beginning,
        ),
        test("log_goes_on_behind_kexec", boots::kexec),
        test(
            "intent_is_completed_behind_kexec",
            boots::kexec_behind_an_intent,
        ),
        test(
            "event_that_contradicts_itself_is_refused",
            event_that_contradicts_itself,
        ),
        test(
            "log_of_another_boot_goes_on_with_its_registers_only",
            boots::other_registers,
        ),
        test("locked_log_is_waited_for_until_the_deadline", locked_log),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// A folder with registers and a log.
struct Folder(PathBuf);

impl Folder {
    fn new(temporary: &tempfile::TempDir) -> Self {
        let folder = Self(temporary.path().to_owned());
        fs::write(folder.registers(), [0; 192]).expect("a file");
        folder
    }

    fn registers(&self) -> PathBuf {
        self.0.join("registers")
    }

    fn log_path(&self) -> PathBuf {
        self.0.join("log")
    }

    fn log(&self) -> RuntimeLog {
        RuntimeLog::new(&self.log_path()).expect("this is Linux")
    }

    fn extend(&self, text: &str) -> Result<bool, LogError> {
        let event = NewEvent::text(RtmrIndex::Rtmr3, text);
        self.log()
            .extend(self, &event, LIMIT)
            .map(|recorded| recorded.gap)
    }

    /// The claim about RTMR3, after what is pending was completed.
    fn replayed(&self) -> (Outcome, String, Replay) {
        let bytes = self.log().read(self, LIMIT, <[u8]>::to_vec).expect("a log");
        let replay = Replay::new(&Logs {
            runtime: Some(&bytes),
            ..Logs::default()
        })
        .expect("a log");
        let found = RtmrIndex::ALL.map(|rtmr| self.rtmr(rtmr).expect("a register"));
        let claims = replay.claims(&found);
        assert_eq!(claims[0].outcome, Outcome::Holds, "{}", claims[0]);
        (claims[4].outcome, claims[4].detail.clone(), replay)
    }

    fn texts(&self) -> Vec<String> {
        let (_, _, replay) = self.replayed();
        replay
            .extensions(RtmrIndex::Rtmr3)
            .map(|event| event.description.clone())
            .collect()
    }
}

impl RtmrAccess for Folder {
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error> {
        let mut digest = Digest::ZERO;
        let file = File::open(self.registers()).expect("a file");
        file.read_exact_at(&mut digest.0, rtmr as u64 * 48)
            .expect("a register");
        Ok(digest)
    }

    fn extend_rtmr(&self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error> {
        let value = Sha2.digest(&[&self.rtmr(rtmr)?.0, &digest.0]);
        let file = OpenOptions::new()
            .write(true)
            .open(self.registers())
            .expect("a file");
        file.write_all_at(&value.0, rtmr as u64 * 48)
            .expect("a register");
        Ok(())
    }
}

/// What a writer does that is killed.
fn write_two(folder: &Folder) -> ExitCode {
    // Where it begins to work, for who counts its system calls.
    if folder.0.as_os_str().is_empty() {
        return ExitCode::SUCCESS;
    }
    for text in ["first", "second"] {
        if folder.extend(text).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn folder() -> (tempfile::TempDir, Folder) {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = Folder::new(&temporary);
    (temporary, folder)
}

fn extensions_replay() {
    let (_keep, folder) = folder();
    for text in ["one", "two", ""] {
        assert!(!folder.extend(text).expect("an extension"));
    }
    assert_eq!(folder.texts(), ["\"one\"", "\"two\"", "no data"]);
    assert_eq!(folder.replayed().0, Outcome::Holds);
}

/// Starts a writer and lets it make so many system calls. Returns how many it made, and the writer if it has more to make.
fn run_until(folder: &Path, calls: usize) -> (usize, Option<Pid>) {
    let program = env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .env(WRITER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: Between fork and exec, this makes one system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(ptrace::traceme()?));
    }
    #[expect(clippy::zombie_processes, reason = "it is waited for by its number")]
    let child = command.spawn().expect("to start");
    let child = Pid::from_raw(child.id() as i32);
    assert!(matches!(
        waitpid(child, None),
        Ok(WaitStatus::Stopped(_, Signal::SIGTRAP))
    ));
    ptrace::setoptions(child, ptrace::Options::PTRACE_O_TRACESYSGOOD).expect("to trace");
    // Every call stops twice: before it and behind it.
    for stop in 0..=2 * calls {
        ptrace::syscall(child, None).expect("to go on");
        match waitpid(child, None).expect("to wait") {
            WaitStatus::PtraceSyscall(_) => {}
            WaitStatus::Exited(_, 0) => return (stop / 2, None),
            other => panic!("{other:?}"),
        }
    }
    (calls, Some(child))
}

fn killed_anywhere() {
    let mut seen = [0; 3];
    let (start, _) = run_until(Path::new(""), usize::MAX / 4);
    for number in start - 5.. {
        let (_keep, folder) = folder();
        let (_, writer) = run_until(&folder.0, number);
        if let Some(writer) = writer {
            ptrace::kill(writer).expect("to kill");
            assert!(matches!(
                waitpid(writer, None),
                Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _))
            ));
        }
        let (outcome, why, _) = folder.replayed();
        assert_eq!(outcome, Outcome::Holds, "killed at call {number}: {why}");
        // Nothing that was extended is missing, and the next writer goes on.
        let texts = folder.texts();
        let expected = ["\"first\"", "\"second\""];
        assert_eq!(
            texts[..],
            expected[..texts.len()],
            "killed at call {number}"
        );
        seen[texts.len()] += 1;
        assert!(
            !folder.extend("third").expect("an extension"),
            "killed at call {number}"
        );
        assert_eq!(
            folder.replayed().0,
            Outcome::Holds,
            "killed at call {number}"
        );
        if writer.is_none() {
            break;
        }
    }
    assert!(
        seen.iter().all(|times| *times > 5),
        "kills with 0, 1 and 2 events: {seen:?}"
    );
}

fn writers_at_once() {
    let (_keep, folder) = folder();
    let folder = &folder;
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                for number in 0..10 {
                    assert!(!folder
                        .extend(&format!("{writer}.{number}"))
                        .expect("an extension"));
                }
            });
        }
    });
    assert_eq!(folder.replayed().0, Outcome::Holds);
    assert_eq!(folder.texts().len(), 40);
}

fn extension_without_the_log() {
    let (_keep, folder) = folder();
    folder.extend("one").expect("an extension");
    folder
        .extend_rtmr(RtmrIndex::Rtmr3, &Digest([7; 48]))
        .expect("an extension");
    // Before the next writer, nothing is known of where.
    let (outcome, why, _) = folder.replayed();
    assert_eq!(outcome, Outcome::Fails);
    assert!(
        why.contains(
            "something extended RTMR3 after event 3 (EV_ACTION \"one\") without logging it"
        ),
        "{why}"
    );
    assert!(folder.extend("two").expect("an extension"));
    assert!(!folder.extend("three").expect("an extension"));
    let (outcome, why, _) = folder.replayed();
    assert_eq!(outcome, Outcome::Fails);
    assert!(
        why.contains("EV_ACTION \"one\") something extended RTMR3 without logging it ("),
        "{why}"
    );
}

fn event_that_was_not_extended() {
    let (_keep, folder) = folder();
    folder.extend("one").expect("an extension");
    let before = fs::read(folder.registers()).expect("a file");
    folder.extend("never").expect("an extension");
    fs::write(folder.registers(), before).expect("a file");
    folder.extend("two").expect("an extension");
    let (outcome, why, _) = folder.replayed();
    assert_eq!(outcome, Outcome::Fails);
    assert!(
        why.contains("EV_ACTION \"never\") is in the log and did not happen"),
        "{why}"
    );
}

fn owners_alone() {
    let (_keep, folder) = folder();
    folder.extend("one").expect("an extension");
    let mode = |path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(folder.log_path()), 0o600);
}

fn another_file() {
    let (_keep, folder) = folder();
    fs::write(
        folder.log_path(),
        "my diary, which is longer than a header of a log is\n".repeat(9),
    )
    .expect("a file");
    let before = fs::read(folder.log_path()).expect("a file");
    assert!(matches!(
        folder.extend("one"),
        Err(LogError::NotALog { .. })
    ));
    assert_eq!(fs::read(folder.log_path()).expect("a file"), before);
}

fn registers_of_the_firmware() {
    let (_keep, folder) = folder();
    for rtmr in [RtmrIndex::Rtmr0, RtmrIndex::Rtmr1] {
        let result = folder
            .log()
            .extend(&folder, &NewEvent::text(rtmr, "x"), LIMIT);
        assert!(matches!(result, Err(LogError::Register(_))));
    }
    assert!(!folder.log_path().exists());
}

fn event_that_contradicts_itself() {
    let (_keep, folder) = folder();
    let (rtmr, digest) = (RtmrIndex::Rtmr3, Digest([7; 48]));
    let of_type = |event_type| NewEvent {
        rtmr,
        digest,
        event_type,
        data: b"text",
    };
    for event in [
        NewEvent::named(rtmr, digest, "kernel_cmdline: root=/dev/vda"),
        of_type(EventType::ACTION),
        of_type(EventType::SEPARATOR),
        of_type(EventType::NO_ACTION),
    ] {
        let result = folder.log().extend(&folder, &event, LIMIT);
        assert!(
            matches!(result, Err(LogError::Contradiction { event_type }) if event_type == event.event_type),
            "{result:?}"
        );
    }
    assert!(!folder.log_path().exists());
    let named = NewEvent::named(rtmr, digest, "application.bin");
    folder
        .log()
        .extend(&folder, &named, LIMIT)
        .expect("an extension");
}

fn locked_log() {
    let (_keep, folder) = folder();
    folder.extend("one").expect("an extension");
    let file = File::open(folder.log_path()).expect("a log");
    let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error);
    let result = folder.log().extend(
        &folder,
        &NewEvent::text(RtmrIndex::Rtmr3, "x"),
        Duration::from_millis(20),
    );
    assert!(matches!(result, Err(LogError::Locked { .. })), "{result:?}");
    drop(lock);
    folder.extend("two").expect("an extension");
}
