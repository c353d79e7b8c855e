// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Logs that another boot left.

use super::{folder, Folder, LIMIT};
use std::fs;
use tdx_agent::runtime_log::{LogError, NewEvent, RtmrAccess as _};
use tdx_agent::Outcome;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// The identifier of this boot, and one of another.
fn boots() -> [String; 2] {
    let this = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("this is Linux");
    let this = this.trim_end().to_owned();
    let other = this.replace(|one: char| one != '-', "7");
    [this, other]
}

/// Has the log be one of another boot, and gives what is in it. The registers go on.
fn start_kernel(folder: &Folder) -> Vec<u8> {
    let [this, other] = boots();
    let mut log = fs::read(folder.log_path()).expect("a log");
    let at = log
        .windows(this.len())
        .position(|bytes| bytes == this.as_bytes());
    let at = at.expect("the log names its boot");
    log[at..at + other.len()].copy_from_slice(other.as_bytes());
    fs::write(folder.log_path(), &log).expect("a log");
    log
}

/// The same, with registers that begin anew.
fn reboot(folder: &Folder) -> Vec<u8> {
    fs::write(folder.registers(), [0; 192]).expect("a file");
    start_kernel(folder)
}

pub(super) fn another_boot() {
    let (_keep, folder) = folder();
    let [_, other] = boots();
    let mut kept = Vec::new();
    for end in ["", ".1", ".2"] {
        folder.extend("one").expect("an extension");
        let before = reboot(&folder);

        // Who reads is told, and leaves it.
        let read = folder.log().read(&folder, LIMIT, <[u8]>::to_vec);
        assert!(
            matches!(&read, Err(LogError::OtherBoot { found, .. }) if *found == other),
            "{read:?}"
        );
        assert_eq!(fs::read(folder.log_path()).expect("a log"), before);

        // Who writes begins a new one, and every old one is kept.
        let event = NewEvent::text(RtmrIndex::Rtmr3, "two");
        let recorded = folder
            .log()
            .extend(&folder, &event, LIMIT)
            .expect("an extension");
        assert!(!recorded.gap);
        let aside = recorded.put_aside.expect("the old log");
        assert_eq!(aside, folder.0.join(format!("log.{other}{end}")));
        assert_eq!(folder.texts(), ["\"two\""]);
        assert_eq!(folder.replayed().0, Outcome::Holds);
        kept.push((aside, before));
        for (aside, before) in &kept {
            assert_eq!(fs::read(aside).expect("the old log"), *before);
        }
    }
}

pub(super) fn unfinished_beginning() {
    let (_keep, folder) = folder();
    folder
        .log()
        .read(&folder, LIMIT, <[u8]>::len)
        .expect("a log");
    let beginning = reboot(&folder);
    for len in (0..beginning.len()).step_by(3) {
        let (_keep, folder) = self::folder();
        fs::write(folder.log_path(), &beginning[..len]).expect("a log");
        let event = NewEvent::text(RtmrIndex::Rtmr3, "one");
        let recorded = folder
            .log()
            .extend(&folder, &event, LIMIT)
            .expect("an extension");
        assert_eq!(recorded.put_aside, None, "{len} bytes");
        assert_eq!(folder.texts(), ["\"one\""], "{len} bytes");
        assert_eq!(folder.replayed().0, Outcome::Holds, "{len} bytes");
    }
}

pub(super) fn kexec() {
    let (_keep, folder) = folder();
    folder.extend("one").expect("an extension");
    let before = start_kernel(&folder);
    // Who reads has it go on, and may be cut off at any byte of that.
    folder
        .log()
        .read(&folder, LIMIT, <[u8]>::len)
        .expect("a log");
    let after = fs::read(folder.log_path()).expect("a log");
    assert_eq!(after[..before.len()], before);
    assert!(after.len() > before.len());
    for len in before.len()..=after.len() {
        fs::write(folder.log_path(), &after[..len]).expect("a log");
        assert_eq!(folder.texts(), ["\"one\""], "{len} bytes");
        assert_eq!(
            fs::read(folder.log_path()).expect("a log"),
            after,
            "{len} bytes"
        );
    }
    // So has who writes.
    for (text, texts) in [
        ("two", &["\"one\"", "\"two\""][..]),
        ("three", &["\"one\"", "\"two\"", "\"three\""]),
    ] {
        start_kernel(&folder);
        let event = NewEvent::text(RtmrIndex::Rtmr3, text);
        let recorded = folder
            .log()
            .extend(&folder, &event, LIMIT)
            .expect("an extension");
        assert!(!recorded.gap);
        assert_eq!(recorded.put_aside, None);
        assert_eq!(folder.texts(), texts);
        assert_eq!(folder.replayed().0, Outcome::Holds);
    }
}

/// A kernel is started while a program is between extending and recording that, or before extending.
pub(super) fn kexec_behind_an_intent() {
    for (extended, texts) in [(true, &["\"one\"", "\"two\""][..]), (false, &["\"one\""])] {
        let (_keep, folder) = folder();
        folder.extend("one").expect("an extension");
        let [before, log] = [folder.registers(), folder.log_path()].map(fs::read);
        let (before, log) = (before.expect("a file"), log.expect("a log").len());
        folder.extend("two").expect("an extension");
        let both = fs::read(folder.log_path()).expect("a log");
        // The last event, of that type with that text, is not there yet.
        let event = 4 + 4 + 4 + 2 + 48 + 4 + "two".len();
        assert!(log < both.len() - event);
        fs::write(folder.log_path(), &both[..both.len() - event]).expect("a log");
        if !extended {
            fs::write(folder.registers(), before).expect("a file");
        }
        start_kernel(&folder);
        assert_eq!(folder.texts(), texts, "{extended}");
        assert_eq!(folder.replayed().0, Outcome::Holds, "{extended}");
    }
}

pub(super) fn other_registers() {
    // Something else was extended, or nothing was by whose value the boot can be told.
    for digest in [None, Some(Digest([7; 48]))] {
        let (_keep, folder) = folder();
        match digest {
            None => drop(folder.log().read(&folder, LIMIT, <[u8]>::len)),
            Some(_) => drop(folder.extend("one")),
        }
        start_kernel(&folder);
        if let Some(digest) = &digest {
            folder
                .extend_rtmr(RtmrIndex::Rtmr3, digest)
                .expect("an extension");
        }
        let read = folder.log().read(&folder, LIMIT, <[u8]>::len);
        assert!(matches!(read, Err(LogError::OtherBoot { .. })), "{read:?}");
        let event = NewEvent::text(RtmrIndex::Rtmr3, "two");
        let recorded = folder
            .log()
            .extend(&folder, &event, LIMIT)
            .expect("an extension");
        assert!(recorded.put_aside.is_some());
        assert_eq!(recorded.gap, digest.is_some());
        assert_eq!(folder.texts(), ["\"two\""]);
    }
}
