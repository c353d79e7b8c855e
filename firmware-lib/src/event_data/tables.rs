// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tables that are handed over, and volumes of the firmware.

use super::Ascii;
use crate::cursor::Cursor;
use crate::Guid;
use core::fmt;

/// Tables that are handed over: `UEFI_HANDOFF_TABLE_POINTERS` and `UEFI_HANDOFF_TABLE_POINTERS2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandoffTables<'a> {
    /// What they are called, in the second form.
    pub description: Option<Ascii<'a>>,
    /// Pairs of a GUID and an address, 24 bytes each.
    tables: &'a [u8],
}

/// A GUID and a pointer.
const TABLE_LEN: u64 = 24;

impl<'a> HandoffTables<'a> {
    /// Reads the form without a description. `None` when the lengths do not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::tables(None, Cursor::new(bytes))
    }

    /// Reads the form with a description. `None` when the lengths do not fit.
    pub fn parse2(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let description = description(&mut cursor)?;
        Self::tables(Some(description), cursor)
    }

    fn tables(description: Option<Ascii<'a>>, mut cursor: Cursor<'a>) -> Option<Self> {
        let count = cursor.u64()?;
        let tables = cursor.take_u64(count.checked_mul(TABLE_LEN)?)?;
        cursor.rest().is_empty().then_some(Self {
            description,
            tables,
        })
    }

    /// The tables: what each is, and its address.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, u64)> + 'a {
        let mut cursor = Cursor::new(self.tables);
        core::iter::from_fn(move || Some((Guid(*cursor.array()?), cursor.u64()?)))
    }
}

impl fmt::Display for HandoffTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables")?;
        if let Some(description) = self.description {
            write!(f, " {description}")?;
        }
        for (guid, address) in self.iter() {
            write!(f, ", {guid} at {address:#x}")?;
        }
        Ok(())
    }
}

/// A volume of the firmware: `UEFI_PLATFORM_FIRMWARE_BLOB` and `UEFI_PLATFORM_FIRMWARE_BLOB2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirmwareBlob<'a> {
    /// What it is called, in the second form: "Fv(…)" with the GUID of the volume, or X for each of its digits.
    pub description: Option<Ascii<'a>>,
    /// Where it is in guest physical memory.
    pub base: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl<'a> FirmwareBlob<'a> {
    /// Reads the form without a description. `None` when the length does not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::blob(None, Cursor::new(bytes))
    }

    /// Reads the form with a description. `None` when the lengths do not fit.
    pub fn parse2(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let description = description(&mut cursor)?;
        Self::blob(Some(description), cursor)
    }

    fn blob(description: Option<Ascii<'a>>, mut cursor: Cursor<'a>) -> Option<Self> {
        let base = cursor.u64()?;
        let len = cursor.u64()?;
        cursor.rest().is_empty().then_some(Self {
            description,
            base,
            len,
        })
    }
}

impl fmt::Display for FirmwareBlob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("firmware volume")?;
        if let Some(description) = self.description {
            write!(f, " {description}")?;
        }
        write!(f, ", {:#x} bytes at {:#x}", self.len, self.base)
    }
}

/// A length of one byte, and as many characters. The zero that may end them is no part of the text.
fn description<'a>(cursor: &mut Cursor<'a>) -> Option<Ascii<'a>> {
    let len = cursor.u8()?;
    let text = cursor.take(len.into())?;
    Some(Ascii(text.strip_suffix(&[0]).unwrap_or(text)))
}
