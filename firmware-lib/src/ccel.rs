// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The ACPI table that says where the event log is.
//!
//! ```
//! use tdx_firmware::ccel::Ccel;
//!
//! let ccel = Ccel::tdx(0x7d64_9000, 0x1_0000);
//! let table = ccel.to_bytes(b"EXAMPL", b"EXAMPLE ");
//! assert_eq!(Ccel::parse(&table), Ok(ccel));
//! ```

use crate::cursor::Cursor;
use core::fmt;

/// The table: where the log is, and of what kind of TEE.
///
/// Source: ACPI specification, "CC Event Log ACPI Table".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ccel {
    /// [`Ccel::TDX`] for a TD.
    pub cc_type: u8,
    /// 0 for a TD.
    pub cc_sub_type: u8,
    /// How many bytes the log's area has (LAML).
    pub area_len: u64,
    /// The guest physical address of the log's area (LASA).
    pub area_start: u64,
}

impl Ccel {
    /// The type of TEE that a TD is.
    pub const TDX: u8 = 2;

    /// The length of a table in bytes.
    pub const LEN: usize = 56;

    /// The table for a TD's log.
    pub const fn tdx(area_start: u64, area_len: u64) -> Self {
        Self {
            cc_type: Self::TDX,
            cc_sub_type: 0,
            area_len,
            area_start,
        }
    }

    /// Reads a table. What follows its 56 bytes is not looked at.
    ///
    /// # Errors
    ///
    /// [`CcelError`] when it is too short, another table, or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, CcelError> {
        let short = CcelError::Length { len: bytes.len() };
        let table = bytes.get(..Self::LEN).ok_or(short)?;
        let mut cursor = Cursor::new(table);
        let signature = *cursor.array().ok_or(short)?;
        if signature != *b"CCEL" {
            return Err(CcelError::Signature { found: signature });
        }
        let len = cursor.u32().ok_or(short)?;
        if usize::try_from(len) != Ok(Self::LEN) {
            return Err(CcelError::LengthField { len });
        }
        let sum = sum(table);
        if sum != 0 {
            return Err(CcelError::Checksum { sum });
        }
        // Revision, checksum, and who made the table.
        let _header = cursor.take(28).ok_or(short)?;
        let [cc_type, cc_sub_type, _, _] = *cursor.array().ok_or(short)?;
        Ok(Self {
            cc_type,
            cc_sub_type,
            area_len: cursor.u64().ok_or(short)?,
            area_start: cursor.u64().ok_or(short)?,
        })
    }

    /// The table's bytes, of revision 1, made by the firmware that these identify.
    pub fn to_bytes(self, oem_id: &[u8; 6], oem_table_id: &[u8; 8]) -> [u8; Self::LEN] {
        const REVISION: u8 = 1;
        let mut table = [0; Self::LEN];
        table[..4].copy_from_slice(b"CCEL");
        // The length, of which the other bytes are 0.
        table[4] = Self::LEN as u8;
        table[8] = REVISION;
        table[10..16].copy_from_slice(oem_id);
        table[16..24].copy_from_slice(oem_table_id);
        table[24] = 1;
        table[36] = self.cc_type;
        table[37] = self.cc_sub_type;
        table[40..48].copy_from_slice(&self.area_len.to_le_bytes());
        table[48..].copy_from_slice(&self.area_start.to_le_bytes());
        table[9] = sum(&table).wrapping_neg();
        table
    }
}

/// What is 0 for a whole table.
fn sum(table: &[u8]) -> u8 {
    table
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

/// Why bytes are no CCEL table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CcelError {
    /// There are fewer than 56 bytes.
    Length {
        /// How many there are.
        len: usize,
    },
    /// It is another table.
    Signature {
        /// Its name.
        found: [u8; 4],
    },
    /// The table says that it has another length than 56.
    LengthField {
        /// What it says.
        len: u32,
    },
    /// The table is damaged.
    Checksum {
        /// The sum of its bytes, which should be 0.
        sum: u8,
    },
}

impl fmt::Display for CcelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no CCEL table: ")?;
        match self {
            Self::Length { len } => write!(f, "{len} bytes are fewer than {}", Ccel::LEN),
            Self::Signature { found } => {
                write!(f, "it is called \"{}\"", found.escape_ascii())
            }
            Self::LengthField { len } => {
                write!(
                    f,
                    "it says that it has {len} bytes instead of {}",
                    Ccel::LEN
                )
            }
            Self::Checksum { sum } => write!(f, "its bytes add up to {sum:#x} instead of 0"),
        }
    }
}

impl core::error::Error for CcelError {}
