// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A command of a step that failed: what it was, the end of its log, and what the user can do.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use indicatif::BinaryBytes;

use crate::space;

/// How much of a log's end is searched for the cause.
const SEARCHED: u64 = 32 << 10;
/// How many of its lines are shown.
const SHOWN: usize = 30;

/// What tools say when there is no space.
const NO_SPACE: [&str; 4] = [
    "No space left on device",
    "You don't have enough free space",
    "not enough free disk space",
    "Disk quota exceeded",
];

/// What apt, cargo and debootstrap say when they cannot reach a server.
const NO_NETWORK: [&str; 9] = [
    "Temporary failure resolving",
    "Temporary failure in name resolution",
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
    "Network is unreachable",
    "Connection timed out",
    "Connection refused",
    "failed to download from",
];

/// Why a command failed, as far as its log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoSpace,
    NoNetwork,
    Other,
}

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    text: String,
    cause: Cause,
}

impl Failure {
    /// `what` went wrong in a step.
    pub(super) fn new(step: &str, what: &str, log: &Path) -> Self {
        let end = tail(log).unwrap_or_default();
        let cause = cause(&end);
        let mut text = format!("{step} failed: {what}\n");
        let lines: Vec<_> = end.lines().filter(|line| !line.trim().is_empty()).collect();
        let _ = writeln!(text, "the end of its log, {}:", log.display());
        for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
            let _ = writeln!(text, "    {line}");
        }
        let _ = write!(text, "{}", hint(cause, log));
        Self {
            text: text.trim_end().to_owned(),
            cause,
        }
    }
}

/// Whether an error, or anything that it came from, is a lack of space on disk.
pub(crate) fn is_no_space(error: &anyhow::Error) -> bool {
    error.chain().any(|error| {
        let io = error.downcast_ref::<std::io::Error>();
        let failure = error.downcast_ref::<Failure>();
        io.is_some_and(|io| matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || failure.is_some_and(|failure| failure.cause == Cause::NoSpace)
    })
}

fn cause(log: &str) -> Cause {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| log.contains(phrase));
    if says(&NO_SPACE) {
        Cause::NoSpace
    } else if says(&NO_NETWORK) {
        Cause::NoNetwork
    } else {
        Cause::Other
    }
}

fn hint(cause: Cause, log: &Path) -> String {
    match cause {
        Cause::NoSpace => {
            let folder: PathBuf = log.parent().unwrap_or(Path::new("/")).into();
            let free = space::free(&folder).map_or_else(|_| "little".into(), |free| BinaryBytes(free).to_string());
            format!("no space: {} has {free} free; make room and run the same again, it goes on from here", folder.display())
        }
        Cause::NoNetwork => "no network: this step fetches packages. Connect, or set http_proxy or apt's \
                             Acquire::http::Proxy, or name another mirror with --mirror; then run the same again, it goes \
                             on from here. What is once set up needs no network any more"
            .into(),
        Cause::Other => String::new(),
    }
}

fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SEARCHED)))?;
    let mut end = Vec::new();
    file.take(SEARCHED).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_full_disk_and_a_missing_network_apart() {
        assert_eq!(
            cause("tar: x: Cannot write: No space left on device\n"),
            Cause::NoSpace
        );
        assert_eq!(
            cause("E: Could not connect: No space left on device\n"),
            Cause::NoSpace
        );
        assert_eq!(cause("Err:1 http://mirror.example trixie InRelease\n  Could not resolve 'mirror.example'\n"), Cause::NoNetwork);
        assert_eq!(cause("error[E0308]: mismatched types"), Cause::Other);
    }
}
