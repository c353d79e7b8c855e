// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be wrong with a TD HOB.

use super::{HobType, ResourceType};
use core::fmt;

/// Why a TD HOB is not believed. `offset` is where the HOB starts, in bytes from the start of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HobError {
    /// The memory for the list ended before an END HOB came.
    NoEnd {
        /// Where another HOB was expected.
        offset: usize,
    },
    /// A HOB is longer than what is left of the memory for the list.
    Truncated {
        /// Which HOB.
        offset: usize,
        /// Its length.
        length: u16,
        /// What is left.
        available: usize,
    },
    /// A reserved field is not 0.
    Reserved {
        /// Which HOB.
        offset: usize,
    },
    /// The HOB is of no type that a TD HOB may hold.
    Type {
        /// Which HOB.
        offset: usize,
        /// Its type.
        found: HobType,
    },
    /// The length is not that of the type, or no multiple of 8.
    Length {
        /// Which HOB.
        offset: usize,
        /// Its type.
        hob_type: HobType,
        /// Its length.
        found: u16,
    },
    /// The list does not start with the hand-off HOB, or has another later on.
    Handoff {
        /// Which HOB.
        offset: usize,
    },
    /// The boot mode is unknown.
    BootMode {
        /// Which HOB.
        offset: usize,
        /// The mode.
        found: u32,
    },
    /// The top of free memory is not page aligned.
    FreeMemoryTop {
        /// Which HOB.
        offset: usize,
        /// The address.
        found: u64,
    },
    /// The resource type is unknown.
    ResourceType {
        /// Which HOB.
        offset: usize,
        /// The type.
        found: ResourceType,
    },
    /// Resource attributes are unknown.
    ResourceAttributes {
        /// Which HOB.
        offset: usize,
        /// All the attributes.
        found: u32,
    },
    /// A resource goes past the end of the address space.
    ResourceRange {
        /// Which HOB.
        offset: usize,
        /// Where the resource starts.
        start: u64,
        /// How long it is.
        length: u64,
    },
}

impl fmt::Display for HobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the VMM's TD HOB is invalid: ")?;
        match self {
            Self::NoEnd { offset } => write!(
                f,
                "expected a HOB at offset {offset:#x}, found the end of the memory for the list"
            ),
            Self::Truncated {
                offset,
                length,
                available,
            } => write!(
                f,
                "the HOB at offset {offset:#x} is {length} bytes long, of which there are {available}"
            ),
            Self::Reserved { offset } => write!(
                f,
                "a reserved field of the HOB at offset {offset:#x} is not 0"
            ),
            Self::Type { offset, found } => write!(
                f,
                "the HOB at offset {offset:#x} has the type {:#06x}, which no TD HOB holds",
                found.0
            ),
            Self::Length {
                offset,
                hob_type,
                found,
            } => write!(
                f,
                "the HOB at offset {offset:#x} has the length {found}, which none of type {:#06x} has",
                hob_type.0
            ),
            Self::Handoff { offset } => write!(
                f,
                "expected the hand-off HOB first and nowhere else, found otherwise at offset {offset:#x}"
            ),
            Self::BootMode { offset, found } => write!(
                f,
                "the hand-off HOB at offset {offset:#x} has the unknown boot mode {found:#x}"
            ),
            Self::FreeMemoryTop { offset, found } => write!(
                f,
                "the top of free memory, {found:#x}, in the hand-off HOB at offset {offset:#x} is not page aligned"
            ),
            Self::ResourceType { offset, found } => write!(
                f,
                "the resource descriptor at offset {offset:#x} has the unknown type {}",
                found.0
            ),
            Self::ResourceAttributes { offset, found } => write!(
                f,
                "the resource descriptor at offset {offset:#x} has unknown attributes among {found:#x}"
            ),
            Self::ResourceRange {
                offset,
                start,
                length,
            } => write!(
                f,
                "the resource at {start:#x} of {length:#x} bytes, told of at offset {offset:#x}, ends past the end of the address space"
            ),
        }
    }
}

impl core::error::Error for HobError {}
