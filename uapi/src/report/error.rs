// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What can be wrong with a TDREPORT.

use crate::TDREPORT_LEN;
use core::fmt;

/// Why bytes are no TDREPORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// There are more or fewer than 1024 bytes.
    Length {
        /// How many there are.
        found: usize,
    },
    /// The type is not 81h.
    Type {
        /// The first byte.
        found: u8,
    },
    /// The subtype is not 0.
    Subtype {
        /// The second byte.
        found: u8,
    },
    /// The version is neither 0 nor 1.
    Version {
        /// The third byte.
        found: u8,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a TDREPORT: ")?;
        match self {
            Self::Length { found } => write!(f, "expected {TDREPORT_LEN} bytes, found {found}"),
            Self::Type { found: 0 } => {
                f.write_str("expected report type 0x81 (TDX), found 0x00 (SGX, or no report)")
            }
            Self::Type { found } => {
                write!(f, "expected report type 0x81 (TDX), found {found:#04x}")
            }
            Self::Subtype { found } => write!(f, "expected report subtype 0, found {found}"),
            Self::Version { found } => write!(f, "expected report version 0 or 1, found {found}"),
        }
    }
}

impl core::error::Error for ParseError {}

/// The part of a TDREPORT whose hash is not the one that the MAC covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashMismatch {
    /// TEE_TCB_INFO is not what TEE_TCB_INFO_HASH was made of.
    TeeTcbInfo,
    /// TDINFO is not what TEE_INFO_HASH was made of.
    TdInfo,
}

impl fmt::Display for HashMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, hash) = match self {
            Self::TeeTcbInfo => ("TEE_TCB_INFO", "TEE_TCB_INFO_HASH"),
            Self::TdInfo => ("TDINFO", "TEE_INFO_HASH"),
        };
        write!(
            f,
            "{part} was changed: its SHA-384 is not the report's {hash}"
        )
    }
}

impl core::error::Error for HashMismatch {}
