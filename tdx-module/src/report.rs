// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Making and checking TDREPORTs.

use crate::{Generation, Platform, TdParameters};
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256, Sha384};
use tdx_call::Status;
use tdx_uapi::{
    Digest, ReportMac, ReportType, TdInfo, TdReport, TeeTcbInfo, REPORTDATA_LEN,
    REPORTMACSTRUCT_LEN,
};
use zerocopy::{FromBytes, IntoBytes};

/// The part of a REPORTMACSTRUCT that its MAC covers.
const COVERED: usize = REPORTMACSTRUCT_LEN - 32;

pub(crate) fn sha384(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha384::new();
    for part in parts {
        hash.update(part);
    }
    Digest(hash.finalize().into())
}

/// TDINFO_STRUCT of a TD with these runtime measurement registers.
pub(crate) fn td_info(parameters: &TdParameters, rtmr: [Digest; 4]) -> TdInfo {
    TdInfo {
        attributes: parameters.attributes.0.into(),
        xfam: parameters.xfam.0.into(),
        mrtd: parameters.mrtd,
        mr_config_id: parameters.mr_config_id,
        mr_owner: parameters.mr_owner,
        mr_owner_config: parameters.mr_owner_config,
        rtmr,
        servtd_hash: parameters.servtd_hash.unwrap_or(Digest::ZERO),
        reserved: [0; 64],
    }
}

impl Platform {
    /// The report of a TD.
    pub(crate) fn report(
        &self,
        version: u8,
        td_info: TdInfo,
        reportdata: [u8; REPORTDATA_LEN],
    ) -> TdReport {
        let tee_tcb_info = self.tee_tcb_info();
        let mut mac = ReportMac {
            report_type: ReportType {
                kind: ReportType::TDX,
                subtype: 0,
                version,
                reserved: 0,
            },
            reserved0: [0; 12],
            cpu_svn: self.cpu_svn,
            tee_tcb_info_hash: sha384(&[tee_tcb_info.as_bytes()]),
            tee_info_hash: sha384(&[td_info.as_bytes()]),
            reportdata,
            reserved1: [0; 32],
            mac: [0; 32],
        };
        mac.mac = self.report_mac(&mac).finalize().into_bytes().into();
        TdReport {
            mac,
            tee_tcb_info,
            reserved: [0; 17],
            td_info,
        }
    }

    fn tee_tcb_info(&self) -> TeeTcbInfo {
        let (valid, tee_tcb_svn2) = match self.generation {
            Generation::Tdx10 => (TeeTcbInfo::VALID_1_0, [0; 16]),
            Generation::Tdx15 => (TeeTcbInfo::VALID_1_5, self.tee_tcb_svn2),
        };
        TeeTcbInfo {
            valid: valid.into(),
            tee_tcb_svn: self.tee_tcb_svn,
            mr_seam: self.mr_seam,
            mr_signer_seam: self.mr_signer_seam,
            attributes: 0.into(),
            tee_tcb_svn2,
            reserved: [0; 95],
        }
    }

    /// The MAC of a REPORTMACSTRUCT: HMAC-SHA-256 over all that precedes it. Which MAC a processor uses is not public;
    /// this one is the model's own choice.
    fn report_mac(&self, mac: &ReportMac) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&hmac_block(self.key(b"REPORTMACSTRUCT")).into())
            .chain_update(&mac.as_bytes()[..COVERED])
    }

    /// Checks a REPORTMACSTRUCT as a processor does: its CPUSVN, then its structure and MAC, in constant time.
    ///
    /// # Errors
    ///
    /// [`Status::INVALID_CPUSVN`], or [`Status::INVALID_REPORTMACSTRUCT`] for the rest.
    pub fn verify_report(&self, bytes: &[u8; REPORTMACSTRUCT_LEN]) -> Result<(), Status> {
        let invalid = Status::INVALID_REPORTMACSTRUCT;
        let mac = ReportMac::ref_from_bytes(bytes).map_err(|_| invalid)?;
        if mac.cpu_svn != self.cpu_svn {
            return Err(Status::INVALID_CPUSVN);
        }
        let ReportType {
            kind,
            subtype,
            version,
            reserved,
        } = mac.report_type;
        let right_type = kind == ReportType::TDX && subtype == 0 && version <= 1 && reserved == 0;
        if !right_type || mac.reserved0 != [0; 12] || mac.reserved1 != [0; 32] {
            return Err(invalid);
        }
        let right = self.report_mac(mac).verify(&mac.mac.into());
        right.map_err(|_| invalid)
    }
}

/// A key as HMAC-SHA-256 takes it without hashing it: zeros up to the hash's block.
pub(crate) fn hmac_block(key: [u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&key);
    block
}
