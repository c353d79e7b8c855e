// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The TDREPORT.
//!
//! Source: TDX module ABI, "TDREPORT_STRUCT", "REPORTMACSTRUCT", "TEE_TCB_INFO" and "TDINFO_STRUCT"; REPORTTYPE in the
//! Intel SDM, leaf EREPORT of ENCLU. All integers are little endian, and every type here has alignment 1, so a
//! report can be read wherever it lies.

mod display;
mod error;
mod mac;
mod td_info;
mod tee_tcb_info;

pub use error::{HashMismatch, ParseError};
pub use mac::{ReportMac, ReportType, REPORTDATA_LEN, REPORTMACSTRUCT_LEN};
pub use td_info::{TdInfo, TDINFO_LEN};
pub use tee_tcb_info::{TeeTcbInfo, TEE_TCB_INFO_LEN};

use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, IntoBytes};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of a [`TdReport`] in bytes.
pub const TDREPORT_LEN: usize = 1024;

/// A TDREPORT: what the TDX module says of a TD, for one platform.
///
/// The MAC covers [`ReportMac`], which has the hashes of the rest; it can be checked on the same platform only, by
/// TDG.MR.VERIFYREPORT or the quoting enclave. The hashes can be checked by anyone: [`TdReport::check_hashes`].
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TdReport {
    /// REPORTMACSTRUCT: the part that the MAC covers.
    pub mac: ReportMac,
    /// TEE_TCB_INFO: the TDX module that made the report.
    pub tee_tcb_info: TeeTcbInfo,
    /// Reserved, zero; not covered by any hash.
    pub reserved: [u8; 17],
    /// TDINFO_STRUCT: the TD.
    pub td_info: TdInfo,
}

const _: () = {
    assert!(size_of::<TdReport>() == TDREPORT_LEN);
    assert!(offset_of!(TdReport, tee_tcb_info) == 256);
    assert!(offset_of!(TdReport, reserved) == 495);
    assert!(offset_of!(TdReport, td_info) == 512);
};

impl TdReport {
    /// Reads a report in place.
    ///
    /// What is checked is what makes the bytes a TDREPORT: their number, and the type, subtype and version. Reserved
    /// fields are not looked at. Neither the MAC nor the hashes are checked; see [`TdReport::check_hashes`].
    ///
    /// # Errors
    ///
    /// [`ParseError`] says what was found instead.
    pub fn parse(bytes: &[u8]) -> Result<&Self, ParseError> {
        let report =
            Self::ref_from_bytes(bytes).map_err(|_| ParseError::Length { found: bytes.len() })?;
        report.mac.report_type.check()?;
        Ok(report)
    }

    /// Checks that TEE_TCB_INFO_HASH and TEE_INFO_HASH are those of the report's other two parts.
    ///
    /// `sha384` is whatever implementation of SHA-384 the caller has; no hash is built in here.
    ///
    /// # Errors
    ///
    /// [`HashMismatch`] names the first part that was changed after the report was made.
    pub fn check_hashes(&self, sha384: impl Fn(&[u8]) -> [u8; 48]) -> Result<(), HashMismatch> {
        if sha384(self.tee_tcb_info.as_bytes()) != self.mac.tee_tcb_info_hash.0 {
            return Err(HashMismatch::TeeTcbInfo);
        }
        if sha384(self.td_info.as_bytes()) != self.mac.tee_info_hash.0 {
            return Err(HashMismatch::TdInfo);
        }
        Ok(())
    }
}
