// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The partition table of a disk, as firmware measures it.
//!
//! Source: UEFI specification, "GPT overview"; edk2's `Tcg2MeasureGptTable` in `DxeTpm2MeasureBootLib.c`.

use crate::{HashEngine, Hasher};
use core::fmt;
use tdx_uapi::Digest;

/// The size of a disk's blocks, and of the header and the smallest entry in one.
const BLOCK: usize = 512;
const HEADER: usize = 92;
const ENTRY: usize = 128;

/// A disk's partition table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PartitionTable<'a> {
    header: &'a [u8],
    entries: &'a [u8],
    /// The size of an entry; at least [`ENTRY`].
    size: usize,
}

impl<'a> PartitionTable<'a> {
    /// How much of a disk [`PartitionTable::of_disk`] needs in general, in bytes: the protective MBR, the header, and 128
    /// entries of 128 bytes.
    pub const USUAL_SIZE: usize = 34 * BLOCK;

    /// The table at the front of a disk with blocks of 512 bytes, or of the beginning of one. `None` if there is none, or if
    /// `disk` ends before the table does.
    pub fn of_disk(disk: &'a [u8]) -> Option<Self> {
        let header = disk.get(BLOCK..BLOCK + HEADER)?;
        if !header.starts_with(b"EFI PART") {
            return None;
        }
        let number = |at: usize| {
            let bytes = header.get(at..)?.first_chunk()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let block = header.get(72..)?.first_chunk()?;
        let start = usize::try_from(u64::from_le_bytes(*block))
            .ok()?
            .checked_mul(BLOCK)?;
        let (count, size) = (number(80)?, number(84)?);
        let end = start.checked_add(count.checked_mul(size)?)?;
        let entries = disk.get(start..end)?;
        (size >= ENTRY).then_some(Self {
            header,
            entries,
            size,
        })
    }

    /// The entries that are used: those with a type.
    fn used(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let entries = self.entries.chunks_exact(self.size);
        entries.filter(|entry| entry[..16] != [0; 16])
    }

    /// What RTMR1 is extended with: the hash of the header, the number of used entries, and these.
    pub fn digest(&self, engine: &impl HashEngine) -> Digest {
        let mut hasher = engine.hasher();
        hasher.update(self.header);
        hasher.update(&(self.used().count() as u64).to_le_bytes());
        self.used().for_each(|entry| hasher.update(entry));
        hasher.finish()
    }
}

impl fmt::Debug for PartitionTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} partitions", self.used().count())
    }
}
