// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The UEFI variables that a firmware image comes with.
//!
//! Source: edk2's `MdeModulePkg/Include/Guid/VariableFormat.h`, `MdePkg/Include/Pi/PiFirmwareVolume.h`, and
//! `SecurityPkg/Library/AuthVariableLib` for what SecureBoot follows from.

use super::ExpectError;
use crate::Guid;
use core::fmt;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::FromBytes;
use zerocopy_derive::{FromBytes, Immutable, KnownLayout, Unaligned};

/// What a variable starts with; anything else is the end of them.
const START: u16 = 0x55aa;

/// The states in which a variable counts: written, and still so while a newer one is being written.
const ADDED: u8 = 0x3f;
const BEING_REPLACED: u8 = ADDED & 0xfe;

/// The name of the variable that turns Secure Boot off, and whose it is.
const SECURE_BOOT_ENABLE: &str = "SecureBootEnable";
const SECURE_BOOT_ENABLE_GUID: Guid = Guid::new(0xf0a30bc7_af08_4556_99c4_001009c93a44);

/// The head of a firmware volume.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VolumeHeader {
    zero_vector: [u8; 16],
    file_system: Guid,
    length: U64,
    signature: [u8; 4],
    attributes: U32,
    header_length: U16,
    checksum: U16,
    ext_header_offset: U16,
    reserved: u8,
    revision: u8,
}

/// The head of a store of variables.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StoreHeader {
    signature: Guid,
    /// With this header.
    size: U32,
    format: u8,
    state: u8,
    reserved: [u8; 6],
}

/// The head of an authenticated variable.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VariableHeader {
    start: U16,
    state: u8,
    reserved: u8,
    attributes: U32,
    monotonic_count: U64,
    timestamp: [u8; 16],
    public_key: U32,
    name_size: U32,
    data_size: U32,
    guid: Guid,
}

/// A variable of a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoredVariable<'a> {
    /// Whose it is.
    pub guid: Guid,
    /// What it is called, in UCS-2 without the zero that ends it.
    name: &'a [U16],
    /// What is in it.
    pub data: &'a [u8],
}

impl<'a> StoredVariable<'a> {
    /// The units of what it is called.
    pub fn name(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        self.name.iter().map(|unit| unit.get())
    }

    /// Whether it is that variable.
    pub fn is(&self, guid: &Guid, name: &str) -> bool {
        self.guid == *guid && self.name().eq(name.encode_utf16())
    }
}

impl fmt::Debug for StoredVariable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.guid)?;
        char::decode_utf16(self.name()).try_for_each(|c| {
            fmt::Write::write_char(f, c.unwrap_or(char::REPLACEMENT_CHARACTER))
        })?;
        write!(f, " ({} bytes)", self.data.len())
    }
}

/// The variables in a CFV.
#[derive(Clone, Copy)]
pub struct VariableStore<'a> {
    /// From the first variable to the end of the store.
    variables: &'a [u8],
}

impl<'a> VariableStore<'a> {
    /// Finds the store that `cfv` starts with and checks its variables.
    ///
    /// # Errors
    ///
    /// [`ExpectError::NoVariableStore`] and [`ExpectError::Variable`].
    pub fn parse(cfv: &'a [u8]) -> Result<Self, ExpectError> {
        let (store, offset) = Self::locate(cfv).ok_or(ExpectError::NoVariableStore)?;
        let mut rest = store.variables;
        while !is_end(rest) {
            let (_, tail) = split(rest).ok_or(ExpectError::Variable {
                offset: offset + (store.variables.len() - rest.len()),
            })?;
            rest = tail;
        }
        Ok(store)
    }

    fn locate(cfv: &'a [u8]) -> Option<(Self, usize)> {
        const FILE_SYSTEM: Guid = Guid::new(0xfff12b8d_7696_4c8b_a985_2747075b4f50);
        const AUTHENTICATED: Guid = Guid::new(0xaaf32c78_947b_439a_a180_2e144ec37792);
        const FORMATTED: u8 = 0x5a;
        const HEALTHY: u8 = 0xfe;
        let (volume, _) = VolumeHeader::ref_from_prefix(cfv).ok()?;
        let header_length = usize::from(volume.header_length.get());
        let good = volume.signature == *b"_FVH"
            && volume.file_system == FILE_SYSTEM
            && header_length >= size_of::<VolumeHeader>();
        let body = cfv.get(header_length..).filter(|_| good)?;
        let (header, _) = StoreHeader::ref_from_prefix(body).ok()?;
        let good = header.signature == AUTHENTICATED
            && header.format == FORMATTED
            && header.state == HEALTHY;
        let start = size_of::<StoreHeader>();
        let end = usize::try_from(header.size.get()).ok()?;
        let variables = body.get(start..end).filter(|_| good)?;
        Some((Self { variables }, header_length + start))
    }

    /// The variables that count.
    pub fn variables(&self) -> impl Iterator<Item = StoredVariable<'a>> + Clone + use<'a> {
        let mut rest = self.variables;
        core::iter::from_fn(move || loop {
            let (variable, tail) = split(rest)?;
            rest = tail;
            if let Some(variable) = variable {
                return Some(variable);
            }
        })
    }

    /// What is in that variable. An empty one is none.
    pub fn find(&self, guid: &Guid, name: &[u16]) -> Option<&'a [u8]> {
        self.variables()
            .filter(|variable| variable.guid == *guid && variable.name().eq(name.iter().copied()))
            // Of one that is being replaced and its replacement the latter counts, which is further on.
            .last()
            .map(|variable| variable.data)
    }

    /// Whether Secure Boot will be on, of firmware that has it: there is a PK, and nobody turned it off.
    pub fn secure_boot(&self) -> bool {
        let has_pk = self
            .variables()
            .any(|variable| variable.is(&Guid::GLOBAL_VARIABLE, "PK"));
        let enable = self
            .variables()
            .filter(|variable| variable.is(&SECURE_BOOT_ENABLE_GUID, SECURE_BOOT_ENABLE))
            .last();
        has_pk && enable.is_none_or(|variable| variable.data.first() == Some(&1))
    }
}

impl fmt::Debug for VariableStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables()).finish()
    }
}

fn is_end(bytes: &[u8]) -> bool {
    bytes.first_chunk() != Some(&START.to_le_bytes())
}

/// The variable that `bytes` start with, if it counts, and what is behind it. `None` at the end of the variables.
fn split(bytes: &[u8]) -> Option<(Option<StoredVariable<'_>>, &[u8])> {
    if is_end(bytes) {
        return None;
    }
    let (header, rest) = VariableHeader::ref_from_prefix(bytes).ok()?;
    let (name, rest) = rest.split_at_checked(header.name_size.get() as usize)?;
    let (data, rest) = rest.split_at_checked(header.data_size.get() as usize)?;
    // The next one is aligned to 4 bytes; the store itself starts at such an address. There may be none behind the last.
    let used = bytes.len() - rest.len();
    let padding = used.next_multiple_of(4) - used;
    let rest = rest.get(padding..).unwrap_or(&[]);

    let name = <[U16]>::ref_from_bytes(name).ok()?;
    let name = name.split(|unit| unit.get() == 0).next()?;
    let counts = matches!(header.state, ADDED | BEING_REPLACED);
    let variable = StoredVariable {
        guid: header.guid,
        name,
        data,
    };
    Some((counts.then_some(variable), rest))
}
