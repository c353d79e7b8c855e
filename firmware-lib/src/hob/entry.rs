// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The HOBs that a TD HOB may hold, as they are in memory (`MdePkg/Include/Pi/PiHob.h` in edk2).

use crate::Guid;
use core::fmt;
use core::ops::Range;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::FromBytes;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a HOB is. Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct HobType(pub U16);

impl HobType {
    /// The hand-off information table, which comes first.
    pub const HANDOFF: Self = Self(U16::new(1));
    /// Memory that the VMM allocated for something. edk2's TDVF refuses lists with it.
    pub const MEMORY_ALLOCATION: Self = Self(U16::new(2));
    /// A range of memory or I/O space.
    pub const RESOURCE_DESCRIPTOR: Self = Self(U16::new(3));
    /// Data of a format that a GUID names.
    pub const GUID_EXTENSION: Self = Self(U16::new(4));
    /// A firmware volume.
    pub const FV: Self = Self(U16::new(5));
    /// The sizes of the address spaces.
    pub const CPU: Self = Self(U16::new(6));
    /// A firmware volume with its name.
    pub const FV2: Self = Self(U16::new(9));
    /// A firmware volume with its name and its authentication status.
    pub const FV3: Self = Self(U16::new(0xc));
    /// The end of the list.
    pub const END: Self = Self(U16::new(0xffff));
}

impl fmt::Debug for HobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HobType({:#06x})", self.0)
    }
}

/// How each HOB starts.
#[derive(Clone, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// What the HOB is.
    pub hob_type: HobType,
    /// The HOB's length in bytes, with this header.
    pub length: U16,
    /// 0.
    pub reserved: U32,
}

/// The hand-off information table. A VMM leaves the addresses of memory 0.
#[derive(Clone, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Handoff {
    /// Its header.
    pub header: Header,
    /// 9.
    pub version: U32,
    /// Why the platform starts; 0 for a boot with full configuration.
    pub boot_mode: U32,
    /// The end of the memory that the HOB producer uses.
    pub memory_top: U64,
    /// Its start.
    pub memory_bottom: U64,
    /// The end of what of it is free, page aligned.
    pub free_memory_top: U64,
    /// The start of what of it is free.
    pub free_memory_bottom: U64,
    /// The address behind the END HOB.
    pub end_of_hob_list: U64,
}

impl Handoff {
    /// The only version.
    pub const VERSION: u32 = 9;
}

/// What a range is of. Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct ResourceType(pub U32);

impl ResourceType {
    /// Memory that the TD can use at once: the VMM added it.
    pub const SYSTEM_MEMORY: Self = Self(U32::new(0));
    /// Memory mapped I/O.
    pub const MEMORY_MAPPED_IO: Self = Self(U32::new(1));
    /// Port I/O.
    pub const IO: Self = Self(U32::new(2));
    /// Firmware in flash.
    pub const FIRMWARE_DEVICE: Self = Self(U32::new(3));
    /// Port I/O that is reached through memory.
    pub const MEMORY_MAPPED_IO_PORT: Self = Self(U32::new(4));
    /// Memory that is not to be used.
    pub const MEMORY_RESERVED: Self = Self(U32::new(5));
    /// Port I/O that is not to be used.
    pub const IO_RESERVED: Self = Self(U32::new(6));
    /// Memory that the TD has to accept before it uses it.
    pub const MEMORY_UNACCEPTED: Self = Self(U32::new(7));
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::SYSTEM_MEMORY => "SYSTEM_MEMORY",
            Self::MEMORY_MAPPED_IO => "MEMORY_MAPPED_IO",
            Self::IO => "IO",
            Self::FIRMWARE_DEVICE => "FIRMWARE_DEVICE",
            Self::MEMORY_MAPPED_IO_PORT => "MEMORY_MAPPED_IO_PORT",
            Self::MEMORY_RESERVED => "MEMORY_RESERVED",
            Self::IO_RESERVED => "IO_RESERVED",
            Self::MEMORY_UNACCEPTED => "MEMORY_UNACCEPTED",
            Self(other) => return write!(f, "ResourceType({other})"),
        })
    }
}

bitflags::bitflags! {
    /// What is known of a range, or can be done with it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ResourceAttributes: u32 {
        /// It is there.
        const PRESENT = 1 << 0;
        /// It is initialised.
        const INITIALIZED = 1 << 1;
        /// It was tested.
        const TESTED = 1 << 2;
        /// It corrects single bit errors.
        const SINGLE_BIT_ECC = 1 << 3;
        /// It corrects multiple bit errors.
        const MULTIPLE_BIT_ECC = 1 << 4;
        /// Reserved for error correction.
        const ECC_RESERVED_1 = 1 << 5;
        /// Reserved for error correction.
        const ECC_RESERVED_2 = 1 << 6;
        /// It cannot be read.
        const READ_PROTECTED = 1 << 7;
        /// It cannot be written.
        const WRITE_PROTECTED = 1 << 8;
        /// It cannot be executed.
        const EXECUTION_PROTECTED = 1 << 9;
        /// It can be mapped uncached.
        const UNCACHEABLE = 1 << 10;
        /// It can be mapped write-combining.
        const WRITE_COMBINEABLE = 1 << 11;
        /// It can be mapped write-through.
        const WRITE_THROUGH_CACHEABLE = 1 << 12;
        /// It can be mapped write-back.
        const WRITE_BACK_CACHEABLE = 1 << 13;
        /// 16-bit I/O.
        const IO_16_BIT = 1 << 14;
        /// 32-bit I/O.
        const IO_32_BIT = 1 << 15;
        /// 64-bit I/O.
        const IO_64_BIT = 1 << 16;
        /// It can be mapped uncached and exported.
        const UNCACHED_EXPORTED = 1 << 17;
        /// It is read-only.
        const READ_ONLY_PROTECTED = 1 << 18;
        /// It can be made read-only.
        const READ_ONLY_PROTECTABLE = 1 << 19;
        /// It can be protected from reads.
        const READ_PROTECTABLE = 1 << 20;
        /// It can be protected from writes.
        const WRITE_PROTECTABLE = 1 << 21;
        /// It can be protected from execution.
        const EXECUTION_PROTECTABLE = 1 << 22;
        /// It keeps its content without power.
        const PERSISTENT = 1 << 23;
        /// It can be made to keep its content.
        const PERSISTABLE = 1 << 24;
        /// It is more reliable than other memory.
        const MORE_RELIABLE = 1 << 25;
        /// It is encrypted.
        const ENCRYPTED = 1 << 26;
        /// It is for a special purpose.
        const SPECIAL_PURPOSE = 1 << 27;
    }
}

impl ResourceAttributes {
    /// What QEMU says of all of a TD's memory: present, initialised and tested.
    pub const MEMORY: Self = Self::PRESENT.union(Self::INITIALIZED).union(Self::TESTED);
}

/// A range of memory or I/O space.
#[derive(Clone, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Resource {
    /// Its header.
    pub header: Header,
    /// A GUID that names the owner, or zeros.
    pub owner: Guid,
    /// What the range is of.
    pub resource_type: ResourceType,
    /// [`ResourceAttributes`].
    pub attributes: U32,
    /// The first address.
    pub start: U64,
    /// How many bytes it takes.
    pub length: U64,
}

impl Resource {
    /// The addresses, unless their end is past that of the address space.
    pub fn range(&self) -> Option<Range<u64>> {
        let start = self.start.get();
        Some(start..start.checked_add(self.length.get())?)
    }
}

/// The sizes of the address spaces.
#[derive(Clone, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Cpu {
    /// Its header.
    pub header: Header,
    /// The width of physical addresses in bits.
    pub memory_bits: u8,
    /// The width of I/O addresses in bits.
    pub io_bits: u8,
    /// 0.
    pub reserved: [u8; 6],
}

/// A HOB of a checked list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Hob<'a> {
    /// The hand-off information table.
    Handoff(&'a Handoff),
    /// A range of memory or I/O space.
    Resource(&'a Resource),
    /// Data of a format that a GUID names.
    GuidExtension {
        /// The GUID.
        guid: Guid,
        /// The data, with what pads it to a multiple of 8 bytes.
        data: &'a [u8],
    },
    /// The sizes of the address spaces.
    Cpu(&'a Cpu),
    /// A firmware volume, in one of its three forms: the HOB's bytes behind its header.
    FirmwareVolume(&'a [u8]),
}

impl<'a> Hob<'a> {
    /// The HOB that is in `entry`; `None` only if it was not checked.
    pub(super) fn new(header: &Header, entry: &'a [u8]) -> Option<Self> {
        let body = entry.get(size_of::<Header>()..)?;
        Some(match header.hob_type {
            HobType::HANDOFF => Self::Handoff(Handoff::ref_from_bytes(entry).ok()?),
            HobType::RESOURCE_DESCRIPTOR => Self::Resource(Resource::ref_from_bytes(entry).ok()?),
            HobType::CPU => Self::Cpu(Cpu::ref_from_bytes(entry).ok()?),
            HobType::GUID_EXTENSION => {
                let (guid, data) = body.split_first_chunk()?;
                Self::GuidExtension {
                    guid: Guid(*guid),
                    data,
                }
            }
            _ => Self::FirmwareVolume(body),
        })
    }
}

const _: () = assert!(size_of::<Handoff>() == 56);
const _: () = assert!(size_of::<Resource>() == 48);
const _: () = assert!(size_of::<Cpu>() == 16);
