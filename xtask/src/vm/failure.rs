// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways in which a guest can fail to run a command to its end.

use super::console::Console;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// Why there is no status of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The machine could not be made or started. Nothing ran.
    #[error(transparent)]
    Setup(#[from] anyhow::Error),
    /// The machine was started.
    #[error("{what}{}", evidence(what, console))]
    Guest {
        /// What happened to it.
        what: What,
        /// What its kernel said.
        console: Box<Console>,
    },
}

/// What happened to a guest that was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum What {
    /// The driver could not be loaded, or the guest not be made ready. The command was not run.
    #[error("the guest could not be made ready for the command: {0}")]
    NotReady(String),
    /// The kernel panicked.
    #[error("the guest panicked: {0}")]
    Panicked(String),
    /// Somebody in the guest powered it off or restarted it before the command ended.
    #[error("the guest was powered off or restarted before the command ended")]
    PoweredOff,
    /// The guest did not come up.
    #[error("the guest did not start the command within {0:?}")]
    BootHung(Duration),
    /// The caller's limit was over.
    #[error("the guest was stopped because the command had not ended after {0:?}")]
    TimedOut(Duration),
    /// The command has ended, but what follows did not.
    #[error("the guest hung after the command had ended with status {status}: {how}")]
    EndHung {
        /// The command's status.
        status: u8,
        /// What was waited for.
        how: &'static str,
    },
    /// QEMU ended on its own.
    #[error("QEMU ended with {status}: {}", or_nothing(stderr))]
    QemuDied {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// The guest does not keep to what was agreed between its init and us.
    #[error("the guest's init sent something unexpected: {0}")]
    Protocol(String),
    /// What the command wrote could not be passed on.
    #[error("cannot write the command's output: {0}")]
    Output(#[source] io::Error),
    /// The user asked for it.
    #[error("the guest was stopped")]
    Stopped,
}

impl Failure {
    /// What happened to the guest, if it was started.
    pub(crate) fn what(&self) -> Option<&What> {
        match self {
            Self::Setup(_) => None,
            Self::Guest { what, .. } => Some(what),
        }
    }
}

/// Where to look for more, as far as that helps.
fn evidence(what: &What, console: &Console) -> String {
    let mut text = String::new();
    match what {
        // The kernel has no part in these, or its messages have been brought along.
        What::Output(_) | What::Stopped | What::TimedOut(_) | What::PoweredOff => {}
        What::NotReady(_) => {}
        // From the dynamic loader: it never came to be QEMU.
        What::QemuDied { status, .. } if status.code() == Some(127) => {
            text += "\nThe Debian root is damaged; `cargo xtask setup --refresh` makes it anew.";
        }
        _ => {
            let tail = console.tail(15);
            if !tail.is_empty() {
                text += "\nIts console ends with:\n";
                text += &tail;
            }
        }
    }
    if let Some(log) = &console.log {
        text += &format!("\nThe guest's console: {}", log.display());
    }
    text
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() {
        "it said nothing"
    } else {
        text
    }
}
