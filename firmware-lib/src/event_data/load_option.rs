// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What to boot.

use super::{DevicePath, Ucs2};
use crate::cursor::Cursor;
use core::fmt;

/// Something to boot: `EFI_LOAD_OPTION`.
///
/// Source: UEFI specification, "Boot Manager", "Load Options".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOption<'a> {
    /// `LOAD_OPTION_ACTIVE` and others.
    pub attributes: u32,
    /// What people are shown.
    pub description: Ucs2<'a>,
    /// Where it is.
    pub path: DevicePath<'a>,
    /// What it is told.
    pub optional_data: &'a [u8],
}

impl<'a> LoadOption<'a> {
    /// Reads an option. `None` when the lengths do not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let attributes = cursor.u32()?;
        let path_len = cursor.u16()?;
        let units = cursor
            .rest()
            .chunks_exact(2)
            .position(|unit| unit == [0, 0])?;
        let description = Ucs2(cursor.take(units * 2)?);
        cursor.take(2)?;
        let path = DevicePath(cursor.take(path_len.into())?);
        Some(Self {
            attributes,
            description,
            path,
            optional_data: cursor.rest(),
        })
    }
}

impl fmt::Display for LoadOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.description, self.path)
    }
}
