// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can go wrong, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What was being done when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The interfaces to the TDX module were looked for.
    Open,
    /// A TDREPORT was asked for.
    Report,
    /// A Quote was asked for.
    Quote,
    /// The measurement registers were read.
    Registers,
    /// A register was extended.
    Extend,
    /// The event log was read.
    EventLog,
    /// Collateral was fetched.
    Collateral,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "opening the interface to the TDX module",
            Self::Report => "getting a TDREPORT",
            Self::Quote => "getting a Quote",
            Self::Registers => "reading the measurement registers",
            Self::Extend => "extending a register",
            Self::EventLog => "reading the event log",
            Self::Collateral => "getting collateral",
        })
    }
}

/// Who may use a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// The permission bits.
    pub mode: u32,
    /// Its group, by name, or by number where it has none.
    pub group: String,
}

impl Access {
    /// Whether the members of the group may read it.
    pub const fn group_may(&self) -> bool {
        self.mode & 0o040 != 0
    }
}

/// Why something could not be done.
///
/// [`Error::step`] tells what was being done, and [`Error::advice`] what may help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This is no TD.
    #[error("{step}: this machine is no TD (the processor flag tdx_guest is not set)")]
    NotATd {
        /// What was being done.
        step: Step,
    },
    /// This is a TD, but nothing of the driver's is there.
    #[error("{step}: there is no TDX guest driver (none of {})", list(.looked_for))]
    NoDriver {
        /// What was being done.
        step: Step,
        /// Where its files were looked for.
        looked_for: Vec<PathBuf>,
    },
    /// What is needed exists and must not be used.
    #[error("{step}: no permission for {}", .path.display())]
    NoPermission {
        /// What was being done.
        step: Step,
        /// The file.
        path: PathBuf,
        /// Who may use it, where that could be found out.
        access: Option<Access>,
    },
    /// The kernel or its driver cannot do it.
    #[error("{step}: {what}")]
    Unsupported {
        /// What was being done.
        step: Step,
        /// What is missing.
        what: String,
    },
    /// The host has no quoting service, or did not serve.
    #[error("{step}: the host gave no Quote ({})", .source)]
    NoQuotingService {
        /// What was being done.
        step: Step,
        /// What the kernel said.
        source: io::Error,
    },
    /// It took too long.
    #[error("{step}: no answer within {limit:?}")]
    Timeout {
        /// What was being done.
        step: Step,
        /// How long was waited.
        limit: Duration,
    },
    /// The answer is not what it must be.
    #[error("{step}: {what}")]
    Answer {
        /// What was being done.
        step: Step,
        /// What is wrong with it.
        what: String,
    },
    /// A file could not be read or written.
    #[error("{step}: {}: {source}", .path.display())]
    Io {
        /// What was being done.
        step: Step,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// What was being done.
    pub const fn step(&self) -> Step {
        match self {
            Self::NotATd { step }
            | Self::NoDriver { step, .. }
            | Self::NoPermission { step, .. }
            | Self::Unsupported { step, .. }
            | Self::NoQuotingService { step, .. }
            | Self::Timeout { step, .. }
            | Self::Answer { step, .. }
            | Self::Io { step, .. } => *step,
        }
    }

    /// What may help, in a sentence or two.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NotATd { .. } => {
                "run this in a TD; what checks Quotes, reports and logs works on any machine, from files".into()
            }
            Self::NoDriver { .. } => {
                "load the driver: `modprobe tdx-guest` as root; in a container, pass the device /dev/tdx_guest in".into()
            }
            Self::NoPermission { path, access, .. } => match access {
                Some(access) if access.group_may() => {
                    format!("run as root, or as a member of the group {}", access.group)
                }
                _ => format!(
                    "run as root, or give a group access to {} (for a device by a udev rule: \
                     SUBSYSTEM==\"misc\", KERNEL==\"tdx[-_]guest\", GROUP=\"tdx\", MODE=\"0660\")",
                    path.display()
                ),
            },
            Self::NoQuotingService { .. } => {
                "ask whoever runs the host whether its quote generation service (QGS) is up; \
                 the guest's kernel log has the host's status"
                    .into()
            }
            Self::Timeout { step: Step::Quote, .. } => {
                "allow more time, or ask whoever runs the host whether its quote generation service (QGS) is overloaded"
                    .into()
            }
            Self::Timeout { .. } | Self::Unsupported { .. } | Self::Answer { .. } | Self::Io { .. } => return None,
        })
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
