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
    /// A file, or a value on the command line, could not be read, written or understood.
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
  3  a file, or a value on the command line, could not be read, written or understood
  4  this machine cannot do it: no TD, no driver, no permission
  5  a service did not answer, or not in time; trying again may help";

/// The library's error that an error is, by itself or in a runtime log's.
pub(crate) fn known(error: &anyhow::Error) -> Option<&Error> {
    match error.downcast_ref() {
        Some(LogError::Access(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

/// What an error says. The sources of the library's are in their texts already.
pub(crate) fn message(error: &anyhow::Error) -> String {
    if let Some(error) = error.downcast_ref::<LogError>() {
        return error.to_string();
    }
    match known(error) {
        Some(known) => known.to_string(),
        None => format!("{error:#}"),
    }
}

/// What may help.
pub(crate) fn advice(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref::<LogError>() {
        Some(error) => error.advice(),
        None => known(error)?.advice(),
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
        match error.downcast_ref() {
            Some(LogError::Locked { .. }) => return Self::NoAnswer,
            Some(LogError::NoPermission { .. }) => return Self::Unavailable,
            _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn error() -> Error {
        Error::NotATd { step: Step::Extend }
    }

    #[test]
    fn permission_that_is_missing_for_a_log_is_said_with_advice() {
        let path = "/run/tdx/runtime.log".into();
        let error = LogError::NoPermission { path }.into();
        assert_eq!(Exit::of(&error), Exit::Unavailable);
        assert!(advice(&error).is_some_and(|advice| advice.contains("root")));
    }

    #[test]
    fn nothing_is_said_twice() {
        let (path, source) = ("log".into(), io::ErrorKind::StorageFull.into());
        let failed = LogError::Io { path, source };
        let text = failed.to_string();
        assert_eq!(message(&failed.into()), text);
        assert_eq!(
            message(&LogError::Access(error()).into()),
            error().to_string()
        );
    }

    #[test]
    fn what_may_have_been_extended_is_not_to_be_tried_again() {
        let timeout = || Error::Timeout {
            step: Step::Extend,
            limit: std::time::Duration::ZERO,
        };
        for (error, exit) in [
            (LogError::Access(timeout()), Exit::NoAnswer),
            (LogError::NotKnown { source: timeout() }, Exit::Failed),
            (LogError::NotRead { source: timeout() }, Exit::Failed),
        ] {
            assert_eq!(Exit::of(&error.into()), exit);
        }
    }
}
