// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Variables of UEFI.

use super::{Ascii, Bytes, LoadOption, SignatureLists, Ucs2};
use crate::cursor::Cursor;
use crate::Guid;
use core::fmt;

/// A variable: `UEFI_VARIABLE_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UefiVariable<'a> {
    /// Whose variable it is.
    pub guid: Guid,
    /// What it is called.
    pub name: Ucs2<'a>,
    /// What is in it; [`UefiVariable::value`] reads it.
    pub data: &'a [u8],
}

/// What is in a variable, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableValue<'a> {
    /// Yes or no: SecureBoot.
    Flag(bool),
    /// Keys, certificates or hashes: PK, KEK, db, dbx.
    Signatures(SignatureLists<'a>),
    /// The numbers of boot options, as pairs of bytes: BootOrder.
    Order(&'a [u8]),
    /// Something to boot: Boot0000.
    Option(LoadOption<'a>),
    /// Text: SbatLevel.
    Text(Ascii<'a>),
    /// Something else.
    Bytes(&'a [u8]),
}

impl<'a> UefiVariable<'a> {
    /// Reads a variable. `None` when the lengths do not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let guid = Guid(*cursor.array()?);
        let name_units = cursor.u64()?;
        let data_len = cursor.u64()?;
        let name = Ucs2(cursor.take_u64(name_units.checked_mul(2)?)?);
        let data = cursor.take_u64(data_len)?;
        cursor
            .rest()
            .is_empty()
            .then_some(Self { guid, name, data })
    }

    /// What is in it.
    pub fn value(&self) -> VariableValue<'a> {
        let data = self.data;
        let value = if self.name.is("SecureBoot") {
            match data {
                [flag @ (0 | 1)] => Some(VariableValue::Flag(*flag == 1)),
                _ => None,
            }
        } else if ["PK", "KEK", "db", "dbx", "dbt", "dbr"]
            .iter()
            .any(|name| self.name.is(name))
        {
            // An authority event has one signature instead of lists.
            SignatureLists::parse(data).map(VariableValue::Signatures)
        } else if self.name.is("BootOrder") {
            (data.len() % 2 == 0).then_some(VariableValue::Order(data))
        } else if self.is_boot_option() {
            LoadOption::parse(data).map(VariableValue::Option)
        } else {
            Ascii::printable(data).map(VariableValue::Text)
        };
        value.unwrap_or(VariableValue::Bytes(data))
    }

    /// Whether it is called Boot and four digits.
    fn is_boot_option(&self) -> bool {
        let mut units = self.name.units();
        "Boot".encode_utf16().all(|unit| units.next() == Some(unit))
            && self.name.units().count() == 8
            && units.all(|unit| char::from_u32(unit.into()).is_some_and(|c| c.is_ascii_hexdigit()))
    }
}

impl fmt::Display for UefiVariable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "variable {} = ", self.name)?;
        match self.value() {
            VariableValue::Flag(true) => f.write_str("on"),
            VariableValue::Flag(false) => f.write_str("off"),
            VariableValue::Signatures(lists) => fmt::Display::fmt(&lists, f),
            VariableValue::Order(order) => {
                f.write_str("Boot")?;
                order
                    .chunks_exact(2)
                    .try_for_each(|option| write!(f, " {:02X}{:02X}", option[1], option[0]))
            }
            VariableValue::Option(option) => fmt::Display::fmt(&option, f),
            VariableValue::Text(text) => fmt::Display::fmt(&text, f),
            VariableValue::Bytes(bytes) => fmt::Display::fmt(&Bytes(bytes), f),
        }
    }
}
