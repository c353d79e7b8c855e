// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which reports the quoting enclave takes, and the form of Quote that each becomes.

use crate::MacError;
use tdx_uapi::{Digest, HashMismatch, ParseError, TdReport, TeeTcbInfo};
use zerocopy::IntoBytes;

/// Why no Quote is made of a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// It is of another kind.
    #[error(transparent)]
    Kind(#[from] ParseError),
    /// A field is used that the report's version does not have.
    #[error("the TDREPORT cannot be quoted: {field} is reserved in a report of version {version}, but not zero")]
    Reserved {
        /// The field.
        field: &'static str,
        /// The version of the report.
        version: u8,
    },
    /// TEE_TCB_INFO is neither that of TDX 1.0 nor that of TDX 1.5.
    #[error("the TDREPORT cannot be quoted: expected VALID 0x1ff (TDX 1.0) or 0x301ff (TDX 1.5), found {found:#x}")]
    Valid {
        /// VALID.
        found: u64,
    },
    /// It was not made on this platform.
    #[error("the TDREPORT is not of this platform: {0}")]
    Mac(#[from] MacError),
    /// It was changed after it was made.
    #[error("the TDREPORT does not hold: {0}")]
    Hash(#[from] HashMismatch),
}

/// The form of a Quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuoteForm {
    /// As TDX 1.0 has it.
    Version4,
    /// As TDX 1.5 has it, with what the older form lacks.
    Version5 {
        tee_tcb_svn2: [u8; 16],
        mr_service_td: Digest,
    },
}

/// The form of Quote that `report` becomes; its MAC and hashes are not checked.
///
/// These are the rules of Intel's quoting enclave. A report of version 0, that is without service TDs, becomes a Quote
/// of version 4, unless the TDX module was updated since it created the TD: then there are two TCB SVNs to tell.
pub(crate) fn quote_form(report: &TdReport) -> Result<QuoteForm, ReportError> {
    TdReport::parse(report.as_bytes())?;
    let version = report.mac.report_type.version;
    let zero = |field, bytes: &[u8]| {
        if bytes.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(ReportError::Reserved { field, version })
        }
    };
    zero("byte 3", &[report.mac.report_type.reserved])?;
    zero("REPORTMACSTRUCT at 4", &report.mac.reserved0)?;
    zero("REPORTMACSTRUCT at 192", &report.mac.reserved1)?;
    zero("TDREPORT at 495", &report.reserved)?;
    zero("TDINFO at 448", &report.td_info.reserved)?;
    if version == 0 {
        zero("SERVTD_HASH", &report.td_info.servtd_hash.0)?;
    }

    let module = &report.tee_tcb_info;
    let tee_tcb_svn2 = match module.valid.get() {
        TeeTcbInfo::VALID_1_0 => module.tee_tcb_svn,
        TeeTcbInfo::VALID_1_5 => module.tee_tcb_svn2,
        found => return Err(ReportError::Valid { found }),
    };
    if version == 0 && tee_tcb_svn2 == module.tee_tcb_svn {
        return Ok(QuoteForm::Version4);
    }
    Ok(QuoteForm::Version5 {
        tee_tcb_svn2,
        // Zero in a report of version 0.
        mr_service_td: report.td_info.servtd_hash,
    })
}
