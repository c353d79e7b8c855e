// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Identifiers of UEFI.

use core::fmt::{self, Write as _};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A GUID as UEFI stores it: the first three fields little-endian. Displayed as usual, in upper case.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// `EFI_GLOBAL_VARIABLE`: SecureBoot, PK, KEK, and what to boot.
    pub const GLOBAL_VARIABLE: Self = Self::new(0x8be4df61_93ca_11d2_aa0d_00e098032b8c);
    /// `EFI_IMAGE_SECURITY_DATABASE_GUID`: db and dbx.
    pub const IMAGE_SECURITY_DATABASE: Self = Self::new(0xd719b2cb_3d3a_4596_a3bc_dad00e67656f);
    /// The variables of shim: SbatLevel, MokList.
    pub const SHIM_LOCK: Self = Self::new(0x605dab50_e046_4300_abb6_3dd810dd8b23);
    /// What the TD HOB is called among tables that are handed over.
    pub const HOB_LIST: Self = Self::new(0x7739f24c_93d7_11d4_9a3a_0090273fc14d);
    /// What edk2 calls the TD HOB in its event.
    pub const TD_TABLE: Self = Self::new(0x93bb96af_b9f2_4eb8_9462_e0ba74564236);

    /// The GUID of these digits, as one number.
    pub const fn new(digits: u128) -> Self {
        let mut bytes = digits.to_be_bytes();
        let [a, b, c, d, e, f, g, h, ..] = bytes;
        let swapped = [d, c, b, a, f, e, h, g];
        let mut at = 0;
        while at < swapped.len() {
            bytes[at] = swapped[at];
            at += 1;
        }
        Self(bytes)
    }

    /// The digits with hyphens, in upper case, as ASCII.
    pub fn to_text(&self) -> [u8; 36] {
        /// The order in which the bytes are written, and 16 for a hyphen.
        const ORDER: [u8; 20] = [
            3, 2, 1, 0, 16, 5, 4, 16, 7, 6, 16, 8, 9, 16, 10, 11, 12, 13, 14, 15,
        ];
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for from in ORDER {
            if let Some(byte) = self.0.get(usize::from(from)) {
                text[at] = DIGITS[usize::from(byte >> 4)];
                text[at + 1] = DIGITS[usize::from(byte & 0xf)];
                at += 1;
            }
            at += 1;
        }
        text
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text()
            .iter()
            .try_for_each(|digit| f.write_char(char::from(*digit)))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Guid;
    use std::string::ToString;

    #[test]
    fn is_displayed_with_the_digits_that_it_is_made_of() {
        assert_eq!(
            Guid::GLOBAL_VARIABLE.to_string(),
            "8BE4DF61-93CA-11D2-AA0D-00E098032B8C"
        );
        assert_eq!(Guid::GLOBAL_VARIABLE.0[..4], [0x61, 0xdf, 0xe4, 0x8b]);
    }
}
