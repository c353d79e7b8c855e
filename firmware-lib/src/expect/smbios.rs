// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The SMBIOS table, as edk2 measures it: without what differs between otherwise equal machines.
//!
//! Source: edk2's `MdeModulePkg/Universal/SmbiosMeasurementDxe`; *System Management BIOS Reference Specification* for the
//! structures.

use crate::{HashEngine, Hasher};
use tdx_uapi::Digest;

/// The type of the structure that ends the table.
const END_OF_TABLE: u8 = 127;

/// The first type that belongs to manufacturers.
const OEM: u8 = 128;

/// The length of a structure's header.
const HEADER: usize = 4;

/// A field that is not measured: its offset, and whether it is the number of a string, or else its size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The string turns into spaces, its number into 0.
    Text(usize),
    /// So many bytes turn into zeros.
    Bytes(usize, usize),
}

use Field::{Bytes, Text};

/// What of a structure of that type is not measured. `None` for one that is measured whole; an empty list for one of which
/// only the header is.
fn hidden(structure: u8) -> Option<&'static [Field]> {
    Some(match structure {
        1 => &[Text(7), Bytes(8, 16), Bytes(24, 1)],
        2 => &[Text(7), Text(10)],
        3 => &[Text(7), Text(8)],
        4 => &[
            Text(32),
            Text(33),
            Text(34),
            Bytes(35, 1),
            Bytes(36, 1),
            Bytes(37, 1),
            Bytes(42, 2),
            Bytes(44, 2),
            Bytes(46, 2),
            Bytes(17, 1),
            Bytes(22, 2),
        ],
        17 => &[Text(24), Text(25), Text(26)],
        22 => &[Text(7), Bytes(16, 2), Bytes(18, 2)],
        23 => &[Bytes(5, 2)],
        27 => &[Bytes(12, 2)],
        39 => &[Text(8), Text(9), Text(10)],
        11 | 15 | 18 | 31 | 33 | OEM.. => &[],
        _ => return None,
    })
}

/// The hash of an SMBIOS table, such as Linux shows as `/sys/firmware/dmi/tables/DMI`, with which edk2-stable202505 and
/// later extend RTMR0. `None` if it is cut.
pub fn smbios_digest(engine: &impl HashEngine, table: &[u8]) -> Option<Digest> {
    let mut hasher = engine.hasher();
    let mut rest = table;
    loop {
        let (structure, tail) = split(rest)?;
        hash(structure, &mut hasher);
        rest = tail;
        if structure[0] == END_OF_TABLE {
            return Some(hasher.finish());
        }
    }
}

/// The first structure of `table` with its strings, and what is behind it.
fn split(table: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(*table.get(1)?);
    let strings = table.get(length..).filter(|_| length >= HEADER)?;
    // Two zeros end the strings, and stand for none.
    let end = strings.windows(2).position(|pair| pair == [0, 0])?;
    table.split_at_checked(length + end + 2)
}

fn hash(structure: &[u8], hasher: &mut impl Hasher) {
    let Some(fields) = hidden(structure[0]) else {
        return hasher.update(structure);
    };
    let length = usize::from(structure[1]);
    let present = |field: &&Field| match **field {
        Text(offset) => offset < length,
        Bytes(offset, size) => offset + size <= length,
    };
    // The number of the string that is being hashed, from 1 on.
    let mut number = 1;
    for (at, byte) in structure.iter().enumerate() {
        let is_hidden = match at.checked_sub(HEADER) {
            None => false,
            Some(_) if fields.is_empty() => true,
            Some(_) => fields.iter().filter(present).any(|field| match *field {
                Text(offset) => at == offset,
                Bytes(offset, size) => (offset..offset + size).contains(&at),
            }),
        };
        let is_text = at >= length
            && *byte != 0
            && fields.iter().filter(present).any(|field| match *field {
                Text(offset) => usize::from(structure[offset]) == number,
                Bytes(..) => false,
            });
        if at >= length && *byte == 0 {
            number += 1;
        }
        hasher.update(match (is_hidden, is_text) {
            (true, _) => &[0],
            (false, true) => b" ",
            (false, false) => core::slice::from_ref(byte),
        });
    }
}
