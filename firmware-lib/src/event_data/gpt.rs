// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Partition tables.

use super::Ucs2;
use crate::cursor::Cursor;
use crate::Guid;
use core::fmt;

/// The partition table of the disk that is booted from: `UEFI_GPT_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpt<'a> {
    /// Which disk it is.
    pub disk: Guid,
    /// The header as it is on the disk: 92 bytes.
    pub header: &'a [u8; 92],
    /// The length of an entry, in bytes. Not 0.
    entry_len: usize,
    /// The partitions, without the unused entries of the table.
    entries: &'a [u8],
}

/// A partition: `EFI_PARTITION_ENTRY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GptPartition<'a> {
    /// What it is for.
    pub kind: Guid,
    /// Which one it is.
    pub id: Guid,
    /// Its first block.
    pub first_block: u64,
    /// Its last block.
    pub last_block: u64,
    /// What it is called.
    pub name: Ucs2<'a>,
}

impl<'a> Gpt<'a> {
    /// Reads the event's data. `None` when it is no such table.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        const MIN_ENTRY_LEN: usize = 128;
        let mut cursor = Cursor::new(bytes);
        let header: &[u8; 92] = cursor.array()?;
        let mut fields = Cursor::new(header);
        if fields.take(8)? != b"EFI PART" {
            return None;
        }
        fields.take(48)?;
        let disk = Guid(*fields.array()?);
        fields.take(12)?;
        let entry_len = usize::try_from(fields.u32()?).ok()?;
        let count = usize::try_from(cursor.u64()?).ok()?;
        let entries = cursor.take(count.checked_mul(entry_len)?)?;
        let whole = entry_len >= MIN_ENTRY_LEN && cursor.rest().is_empty();
        whole.then_some(Self {
            disk,
            header,
            entry_len,
            entries,
        })
    }

    /// The partitions.
    pub fn partitions(&self) -> impl Iterator<Item = GptPartition<'a>> + 'a {
        self.entries
            .chunks_exact(self.entry_len)
            .filter_map(|entry| {
                let mut cursor = Cursor::new(entry);
                let kind = Guid(*cursor.array()?);
                let id = Guid(*cursor.array()?);
                let first_block = cursor.u64()?;
                let last_block = cursor.u64()?;
                let _attributes = cursor.u64()?;
                let name = Ucs2(cursor.take(72)?);
                Some(GptPartition {
                    kind,
                    id,
                    first_block,
                    last_block,
                    name,
                })
            })
    }
}

impl fmt::Display for Gpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition table of disk {}", self.disk)?;
        for partition in self.partitions() {
            let GptPartition {
                id,
                first_block,
                last_block,
                name,
                ..
            } = partition;
            write!(f, ", {id} ({name}) blocks {first_block} to {last_block}")?;
        }
        Ok(())
    }
}
