// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Registers that cannot be extended or read as they should be.

use super::{folder, Folder, LIMIT};
use std::cell::Cell;
use tdx_agent::runtime_log::{LogError, NewEvent, Recorded, RtmrAccess};
use tdx_agent::{Error, Outcome, Step};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// Registers that cannot be extended as they should be.
struct Failing<'a> {
    folder: &'a Folder,
    /// What they are extended with in place of that, and then say that they were not.
    instead: &'a [&'a Digest],
    /// Whether they can be read after that.
    readable: bool,
    tried: Cell<bool>,
}

impl RtmrAccess for Failing<'_> {
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error> {
        if self.tried.get() && !self.readable {
            let step = Step::Registers;
            return Err(Error::NotATd { step });
        }
        self.folder.rtmr(rtmr)
    }

    fn extend_rtmr(&self, rtmr: RtmrIndex, _: &Digest) -> Result<(), Error> {
        self.tried.set(true);
        for digest in self.instead {
            self.folder.extend_rtmr(rtmr, digest)?;
        }
        Err(Error::NotATd { step: Step::Extend })
    }
}

/// Extends such registers.
fn fail(folder: &Folder, instead: &[&Digest], readable: bool) -> Result<Recorded, LogError> {
    let registers = Failing {
        folder,
        instead,
        readable,
        tried: Cell::new(false),
    };
    let event = NewEvent::text(RtmrIndex::Rtmr3, "tried");
    folder.log().extend(&registers, &event, LIMIT)
}

pub(super) fn refused_extension() {
    let (_keep, folder) = folder();
    let result = fail(&folder, &[], true);
    assert!(
        matches!(result, Err(LogError::Access(Error::NotATd { .. }))),
        "{result:?}"
    );
    folder.extend("one").expect("an extension");
    assert_eq!(folder.replayed().0, Outcome::Holds);
    assert_eq!(folder.texts(), ["\"one\""]);
}

pub(super) fn failed_extension() {
    let digest = NewEvent::text(RtmrIndex::Rtmr3, "tried").digest;
    // It happened all the same.
    let (_keep, one) = folder();
    let recorded = fail(&one, &[&digest], true).expect("an extension");
    assert!(!recorded.gap);
    assert_eq!(one.texts(), ["\"tried\""]);
    assert_eq!(one.replayed().0, Outcome::Holds);

    // Something else did, or nobody knows: the error is that of the extension.
    let (_keep, two) = folder();
    let results = [
        fail(&two, &[&Digest([7; 48])], true),
        fail(&two, &[&digest], false),
        fail(&two, &[], false),
    ];
    for result in results {
        let error = result.expect_err("a failure");
        assert!(
            matches!(&error, LogError::NotKnown { source } if source.step() == Step::Extend),
            "{error:?}"
        );
        assert!(!error.to_string().contains("nothing was extended"));
    }
    two.extend("one").expect("an extension");
    assert_eq!(two.texts(), ["\"tried\"", "\"one\""]);
}

/// Registers that are extended, and cannot be read after that.
struct Blind<'a>(&'a Folder, Cell<bool>);

impl RtmrAccess for Blind<'_> {
    fn rtmr(&self, rtmr: RtmrIndex) -> Result<Digest, Error> {
        if self.1.get() {
            let step = Step::Registers;
            return Err(Error::NotATd { step });
        }
        self.0.rtmr(rtmr)
    }

    fn extend_rtmr(&self, rtmr: RtmrIndex, digest: &Digest) -> Result<(), Error> {
        self.1.set(true);
        self.0.extend_rtmr(rtmr, digest)
    }
}

pub(super) fn unreadable_value() {
    let (_keep, folder) = folder();
    let event = NewEvent::text(RtmrIndex::Rtmr3, "one");
    let registers = Blind(&folder, Cell::new(false));
    let result = folder.log().extend(&registers, &event, LIMIT);
    let error = result.expect_err("a failure");
    assert!(matches!(error, LogError::NotRead { .. }), "{error:?}");
    assert!(error.to_string().contains("the register was extended"));
    assert_eq!(folder.texts(), ["\"one\""]);
    assert_eq!(folder.replayed().0, Outcome::Holds);
}
