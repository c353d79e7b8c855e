// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Programs and drivers that were loaded.

use super::DevicePath;
use crate::cursor::Cursor;
use core::fmt;

/// A PE image that was loaded: `UEFI_IMAGE_LOAD_EVENT`. What is measured is its Authenticode hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLoad<'a> {
    /// Where it was in memory.
    pub location: u64,
    /// How many bytes it had.
    pub len: u64,
    /// Where it was linked to.
    pub link_time_address: u64,
    /// Where it came from.
    pub path: DevicePath<'a>,
}

impl<'a> ImageLoad<'a> {
    /// Reads the event's data. `None` when the lengths do not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let location = cursor.u64()?;
        let len = cursor.u64()?;
        let link_time_address = cursor.u64()?;
        let path_len = cursor.u64()?;
        let path = DevicePath(cursor.take_u64(path_len)?);
        cursor.rest().is_empty().then_some(Self {
            location,
            len,
            link_time_address,
            path,
        })
    }
}

impl fmt::Display for ImageLoad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}, {} bytes", self.path, self.len)
    }
}
