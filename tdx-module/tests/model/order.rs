// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which failure comes first: every failure of a leaf alone, and every two of them at once.

use crate::bench::Bench;
use tdx_call::{Registers, Status};

/// A way for a call to fail.
pub(crate) struct Failure {
    /// What is wrong.
    pub(crate) what: &'static str,
    /// Makes it wrong.
    pub(crate) spoil: fn(&mut Registers),
    /// What the TD is told.
    pub(crate) status: Status,
}

/// Checks that a call that is right succeeds, that each of `failures` is what it says, and that of two at once the TD
/// is told the one that stands first.
#[track_caller]
pub(crate) fn check(make: impl Fn() -> Bench, right: Registers, failures: &[Failure]) {
    make().succeed(right);
    for (at, first) in failures.iter().enumerate() {
        let mut wrong = right;
        (first.spoil)(&mut wrong);
        assert_eq!(make().status(wrong), first.status, "{}", first.what);
        for second in &failures[at + 1..] {
            let mut wrong = right;
            (second.spoil)(&mut wrong);
            (first.spoil)(&mut wrong);
            let (what, and) = (first.what, second.what);
            assert_eq!(make().status(wrong), first.status, "{what}, and {and}");
        }
    }
}
