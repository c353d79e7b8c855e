// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! REPORTMACSTRUCT: the first 256 bytes of a TDREPORT.

use crate::{Digest, ParseError};
use core::mem::{offset_of, size_of};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of REPORTDATA in bytes.
pub const REPORTDATA_LEN: usize = 64;

/// The length of a [`ReportMac`] in bytes.
pub const REPORTMACSTRUCT_LEN: usize = 256;

/// REPORTTYPE: what kind of report follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ReportType {
    /// 81h for TDX; 0 is SGX.
    pub kind: u8,
    /// 0.
    pub subtype: u8,
    /// 1 when a service TD is bound to this one, else 0, whatever the version of the TDX module.
    pub version: u8,
    /// Reserved, zero.
    pub reserved: u8,
}

impl ReportType {
    /// The type of a TDX report.
    pub const TDX: u8 = 0x81;

    pub(super) fn check(&self) -> Result<(), ParseError> {
        match *self {
            Self { kind, .. } if kind != Self::TDX => Err(ParseError::Type { found: kind }),
            Self { subtype, .. } if subtype != 0 => Err(ParseError::Subtype { found: subtype }),
            Self { version, .. } if version > 1 => Err(ParseError::Version { found: version }),
            _ => Ok(()),
        }
    }
}

/// REPORTMACSTRUCT: the part of a TDREPORT that the platform's MAC covers.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ReportMac {
    /// REPORTTYPE.
    pub report_type: ReportType,
    /// Reserved, zero.
    pub reserved0: [u8; 12],
    /// CPUSVN: the security version of the processor.
    pub cpu_svn: [u8; 16],
    /// The SHA-384 of [`TeeTcbInfo`](crate::TeeTcbInfo).
    pub tee_tcb_info_hash: Digest,
    /// The SHA-384 of [`TdInfo`](crate::TdInfo).
    pub tee_info_hash: Digest,
    /// REPORTDATA: what the requester of the report put in.
    pub reportdata: [u8; REPORTDATA_LEN],
    /// Reserved, zero.
    pub reserved1: [u8; 32],
    /// The MAC over everything above, by a key that only the platform has.
    pub mac: [u8; 32],
}

const _: () = {
    assert!(size_of::<ReportMac>() == REPORTMACSTRUCT_LEN);
    assert!(offset_of!(ReportMac, cpu_svn) == 16);
    assert!(offset_of!(ReportMac, tee_tcb_info_hash) == 32);
    assert!(offset_of!(ReportMac, tee_info_hash) == 80);
    assert!(offset_of!(ReportMac, reportdata) == 128);
    assert!(offset_of!(ReportMac, reserved1) == 192);
    assert!(offset_of!(ReportMac, mac) == 224);
};
