// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! Measurements.

use crate::Hex;
use core::fmt;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of a [`Digest`] in bytes.
pub const DIGEST_LEN: usize = 48;

/// A SHA-384 value, displayed as 96 hexadecimal digits.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Digest(pub [u8; DIGEST_LEN]);

impl Digest {
    /// The value that a runtime measurement register starts with.
    pub const ZERO: Self = Self([0; DIGEST_LEN]);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
