// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the exit status says.

use std::process::ExitCode;
use tdx_agent::runtime_log::LogError;
use tdx_agent::{Error, Step};

/// What the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done, and everything that was checked holds.
    Success = 0,
    /// It was checked, and something does not hold.
    Refused = 1,
    /// A file could not be read, written or understood.
    Failed = 3,
    /// This machine cannot do it: no TD, no driver, no permission.
    Unavailable = 4,
    /// A service did not answer, or not in time: the host's for Quotes, or that for collateral. Trying again may help.
    NoAnswer = 5,
}

/// The same for people.
pub(crate) const HELP: &str = "\
Exit status:
  0  done, and everything that was checked holds
  1  something that was checked does not hold
  2  wrong usage
  3  a file could not be read, written or understood
  4  this machine cannot do it: no TD, no driver, no permission
  5  a service did not answer, or not in time; trying again may help";

/// The library's error that an error is, by itself or in a runtime log's.
pub(crate) fn known(error: &anyhow::Error) -> Option<&Error> {
    match error.downcast_ref() {
        Some(LogError::Access(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Success if everything holds.
    pub(crate) const fn holds(holds: bool) -> Self {
        if holds {
            Self::Success
        } else {
            Self::Refused
        }
    }

    /// What an error amounts to.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if let Some(LogError::Locked { .. }) = error.downcast_ref() {
            return Self::NoAnswer;
        }
        match known(error) {
            Some(
                Error::NotATd { .. }
                | Error::NoDriver { .. }
                | Error::NoPermission { .. }
                | Error::Unsupported { .. },
            ) => Self::Unavailable,
            Some(Error::NoQuotingService { .. } | Error::Timeout { .. }) => Self::NoAnswer,
            Some(Error::Answer {
                step: Step::Collateral | Step::Quote,
                ..
            }) => Self::NoAnswer,
            _ => Self::Failed,
        }
    }
}
