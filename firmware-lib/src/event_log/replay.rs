// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From a log to the values of the registers.

use super::Event;
use crate::{EventType, HashEngine, Rtmrs};
use core::fmt;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// Registers that change as the events of a log say.
///
/// What a log says is worth nothing unless the registers are those of the TDREPORT or Quote. RTMR2 and RTMR3 may be
/// ahead of the log: the operating system extends them and need not log it.
#[derive(Clone, Copy, Debug)]
pub struct Replay<E> {
    engine: E,
    rtmrs: Rtmrs,
    extended: [usize; 4],
    separators: [usize; 4],
}

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It extended a register.
    Extended {
        /// The register.
        rtmr: RtmrIndex,
        /// Its value from then on.
        value: Digest,
    },
    /// It did not.
    NotExtended(NotExtended),
}

/// Why an event extended no register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotExtended {
    /// It is about the log itself.
    NoAction,
    /// It names a register that cannot be extended, or does not exist.
    NoRegister,
    /// It has no SHA-384 digest.
    NoDigest,
}

impl fmt::Display for NotExtended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAction => "an event that is not measured",
            Self::NoRegister => "the register cannot be extended",
            Self::NoDigest => "there is no SHA-384 digest",
        })
    }
}

impl<E: HashEngine> Replay<E> {
    /// Begins with zeros, as a TD does.
    pub fn new(engine: E) -> Self {
        Self::from(engine, Rtmrs::ZERO)
    }

    /// Begins with these values.
    pub fn from(engine: E, rtmrs: Rtmrs) -> Self {
        Self {
            engine,
            rtmrs,
            extended: [0; 4],
            separators: [0; 4],
        }
    }

    /// Does what `event` says.
    pub fn apply(&mut self, event: &Event<'_>) -> Step {
        if event.event_type == EventType::NO_ACTION {
            return Step::NotExtended(NotExtended::NoAction);
        }
        let Some(rtmr) = event.rtmr() else {
            return Step::NotExtended(NotExtended::NoRegister);
        };
        let Some(digest) = event.digest() else {
            return Step::NotExtended(NotExtended::NoDigest);
        };
        if event.event_type == EventType::SEPARATOR {
            self.separators[rtmr as usize] += 1;
        }
        self.extend(rtmr, digest);
        Step::Extended {
            rtmr,
            value: self.rtmrs[rtmr],
        }
    }

    /// Extends a register with something that is not in the log, such as what the operating system added.
    pub fn extend(&mut self, rtmr: RtmrIndex, digest: &Digest) {
        self.rtmrs.extend(&self.engine, rtmr, digest);
        self.extended[rtmr as usize] += 1;
    }

    /// The values of the registers.
    pub fn rtmrs(&self) -> &Rtmrs {
        &self.rtmrs
    }

    /// How often a register was extended.
    pub fn extended(&self, rtmr: RtmrIndex) -> usize {
        self.extended[rtmr as usize]
    }

    /// How many separators a register has.
    ///
    /// A TDVF writes one to RTMR0 behind the secure boot variables, and one when it is ready to boot: to RTMR1, or in edk2
    /// before its stable202411 to RTMR0, which then has two.
    pub fn separators(&self, rtmr: RtmrIndex) -> usize {
        self.separators[rtmr as usize]
    }

    /// The registers with more than one separator. What comes after the first one is hard to tell from what comes before it,
    /// so strict verifiers refuse such a log; see [`Replay::separators`] for when it is to be expected.
    pub fn duplicate_separators(&self) -> impl Iterator<Item = RtmrIndex> + '_ {
        RtmrIndex::ALL
            .into_iter()
            .filter(|rtmr| self.separators(*rtmr) > 1)
    }
}
