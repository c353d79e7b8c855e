// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Text as firmware writes it.

use core::fmt::{self, Write as _};

/// Text of one byte per character. Displayed with what a terminal could take for a command escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ascii<'a>(pub &'a [u8]);

impl<'a> Ascii<'a> {
    /// The text up to the zeros at its end, if a person can read it: no other control characters than line ends and tabs.
    pub(super) fn printable(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
        let text = &bytes[..end];
        text.iter()
            .all(|byte| matches!(byte, b'\n' | b'\r' | b'\t' | b' '..=b'~' | 0x80..))
            .then_some(Self(text))
    }
}

impl fmt::Display for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text of two bytes per character, as UEFI has it. Displayed up to the first zero, with what a terminal could take for a
/// command escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ucs2<'a>(pub &'a [u8]);

impl<'a> Ucs2<'a> {
    /// The characters before the first zero.
    pub fn units(&self) -> impl Iterator<Item = u16> + 'a {
        self.0
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .take_while(|unit| *unit != 0)
    }

    /// Whether the characters before the first zero are those of `text`.
    pub fn is(&self, text: &str) -> bool {
        self.units().eq(text.encode_utf16())
    }

    /// The text, if it is some and a person can read it.
    pub(super) fn printable(bytes: &'a [u8]) -> Option<Self> {
        let text = Self(bytes);
        let mut units = text.units().peekable();
        (bytes.len() % 2 == 0
            && units.peek().is_some()
            && units.all(|unit| (0x20..0x7f).contains(&unit)))
        .then_some(text)
    }
}

impl fmt::Display for Ucs2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for unit in char::decode_utf16(self.units()) {
            let unit = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
            match unit {
                ' '..='~' => f.write_char(unit)?,
                // Letters as they are, and what turns text around or ends lines not.
                other => write!(f, "{}", other.escape_debug())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Ucs2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
