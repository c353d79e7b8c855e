// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Writing a TD HOB.

use super::{Handoff, Header, HobType, Resource, ResourceAttributes, ResourceType};
use crate::Guid;
use core::fmt;
use core::ops::Range;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{Immutable, IntoBytes};

/// Writes a TD HOB into a caller's buffer, one HOB after the other.
///
/// # Invariants
///
/// The buffer is longer than a hand-off HOB, with which it starts, and `used` bytes of it hold whole HOBs.
#[derive(Debug)]
pub struct TdHobBuilder<'a> {
    area: &'a mut [u8],
    used: usize,
    /// The guest physical address of the list.
    gpa: u64,
}

impl<'a> TdHobBuilder<'a> {
    /// Starts a list in `area`, which the TD will see at `gpa`.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`] if there is no room for the hand-off HOB.
    pub fn new(area: &'a mut [u8], gpa: u64) -> Result<Self, BuildError> {
        let mut builder = Self { area, used: 0, gpa };
        builder.push(&handoff(0))?;
        // INVARIANT: The hand-off HOB is written.
        Ok(builder)
    }

    /// Adds a range of memory, of a type such as [`ResourceType::MEMORY_UNACCEPTED`], with the attributes that QEMU gives
    /// to memory.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`] if there is no room for it, [`BuildError::Range`] if it ends before it starts.
    pub fn memory(&mut self, kind: ResourceType, range: Range<u64>) -> Result<(), BuildError> {
        let length = range
            .end
            .checked_sub(range.start)
            .ok_or(BuildError::Range)?;
        self.push(&Resource {
            header: header::<Resource>(HobType::RESOURCE_DESCRIPTOR),
            owner: Guid([0; 16]),
            resource_type: kind,
            attributes: U32::new(ResourceAttributes::MEMORY.bits()),
            start: U64::new(range.start),
            length: U64::new(length),
        })
    }

    /// Ends the list and returns its length in bytes, with the END HOB.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`] if there is no room for the END HOB.
    pub fn finish(mut self) -> Result<usize, BuildError> {
        self.push(&header::<Header>(HobType::END))?;
        let end = self
            .gpa
            .checked_add(self.used as u64)
            .ok_or(BuildError::Range)?;
        let handoff = handoff(end);
        self.area[..size_of::<Handoff>()].copy_from_slice(handoff.as_bytes());
        Ok(self.used)
    }

    fn push<T: IntoBytes + Immutable>(&mut self, hob: &T) -> Result<(), BuildError> {
        let bytes = hob.as_bytes();
        // All the HOBs written here are multiples of 8 bytes, so that the next one is aligned.
        let end = self.used + bytes.len();
        let full = BuildError::Full {
            needed: end,
            available: self.area.len(),
        };
        self.area
            .get_mut(self.used..end)
            .ok_or(full)?
            .copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }
}

fn handoff(end_of_hob_list: u64) -> Handoff {
    Handoff {
        header: header::<Handoff>(HobType::HANDOFF),
        version: U32::new(Handoff::VERSION),
        boot_mode: U32::ZERO,
        memory_top: U64::ZERO,
        memory_bottom: U64::ZERO,
        free_memory_top: U64::ZERO,
        free_memory_bottom: U64::ZERO,
        end_of_hob_list: U64::new(end_of_hob_list),
    }
}

/// The header of a HOB that is a `T`, which is at most 56 bytes long.
fn header<T>(hob_type: HobType) -> Header {
    Header {
        hob_type,
        length: U16::new(size_of::<T>() as u16),
        reserved: U32::ZERO,
    }
}

/// Why a TD HOB cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The buffer is too small.
    Full {
        /// How many bytes the list takes up to what did not fit.
        needed: usize,
        /// How many there are.
        available: usize,
    },
    /// A range ends before it starts, or the list past the end of the address space.
    Range,
    /// Memory that the firmware wants added is not within one range of the TD's memory.
    NotInRam {
        /// Where it starts.
        start: u64,
        /// Where it ends.
        end: u64,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write the TD HOB: ")?;
        match self {
            Self::Full { needed, available } => write!(
                f,
                "it needs {needed} bytes or more, and there are {available}"
            ),
            Self::Range => f.write_str("a range ends before it starts"),
            Self::NotInRam { start, end } => write!(
                f,
                "the firmware wants memory at {start:#x} to {end:#x}, which is not within one range of the TD's RAM (more RAM?)"
            ),
        }
    }
}

impl core::error::Error for BuildError {}
