// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where in an image the TDVF descriptor is.

use super::TdvfError;
use crate::Guid;

/// How far the table's last byte is from the image's end.
const TABLE_TO_END: usize = 32;

/// The last entry of the table, whose length is that of the whole table.
const FOOTER: Guid = Guid::new(0x96b582de_1fb2_45f7_baea_a366c55a082d);

/// The entry that holds the descriptor's distance from the image's end.
const METADATA_OFFSET: Guid = Guid::new(0xe47a6535_984a_4798_865e_4685a7bf8ec2);

/// What ends each entry: the length of all of it, then its GUID.
const ENTRY_TAIL: usize = size_of::<u16>() + size_of::<Guid>();

/// The offset of the descriptor in `image`, which need not be a good one.
pub(super) fn descriptor(image: &[u8]) -> Result<usize, TdvfError> {
    let length = image.len();
    if u32::try_from(length).is_err() {
        return Err(TdvfError::ImageSize { found: length });
    }
    let before_end = length
        .checked_sub(TABLE_TO_END)
        .ok_or(TdvfError::ImageSize { found: length })?;
    let (before, end) = image.split_at(before_end);

    let Some((entries, tail)) = split_entry_tail(before).filter(|(_, tail)| tail.guid == FOOTER)
    else {
        // The older place, which td-shim uses.
        return end
            .first_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes) as usize)
            .ok_or(TdvfError::ImageSize { found: length });
    };
    let size = tail
        .length
        .checked_sub(ENTRY_TAIL)
        .filter(|size| *size <= entries.len())
        .ok_or(TdvfError::TableLength { found: tail.length })?;
    let distance = metadata_offset(&entries[entries.len() - size..])?;
    length
        .checked_sub(distance as usize)
        .ok_or(TdvfError::MetadataOffset { found: distance })
}

/// The value of the table's entry for TDVF metadata.
fn metadata_offset(mut entries: &[u8]) -> Result<u32, TdvfError> {
    while let Some((before, tail)) = split_entry_tail(entries) {
        let data = tail
            .length
            .checked_sub(ENTRY_TAIL)
            .and_then(|size| before.len().checked_sub(size))
            .ok_or(TdvfError::EntryLength { found: tail.length })?;
        let (rest, data) = before.split_at(data);
        if tail.guid == METADATA_OFFSET {
            let found = TdvfError::EntryLength { found: tail.length };
            return data.try_into().map(u32::from_le_bytes).map_err(|_| found);
        }
        entries = rest;
    }
    Err(TdvfError::NoMetadataEntry)
}

struct EntryTail {
    length: usize,
    guid: Guid,
}

/// What ends `bytes`, if it is long enough, and what is before it. The table is read from its end.
fn split_entry_tail(bytes: &[u8]) -> Option<(&[u8], EntryTail)> {
    let (bytes, guid) = bytes.split_last_chunk()?;
    let (bytes, length) = bytes.split_last_chunk()?;
    let tail = EntryTail {
        length: u16::from_le_bytes(*length).into(),
        guid: Guid(*guid),
    };
    Some((bytes, tail))
}
