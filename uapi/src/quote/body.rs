// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What a Quote says of the TD.

use crate::{Digest, TdReport};
use core::mem::{offset_of, size_of};
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The body of a Quote of version 4: a TDX 1.0 TD report.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TdBody {
    /// TEE_TCB_SVN: the security version of the TDX module that created the TD.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM: the measurement of that module.
    pub mr_seam: Digest,
    /// MRSIGNERSEAM: who signed it; zero for Intel.
    pub mr_signer_seam: Digest,
    /// SEAMATTRIBUTES: the attributes of that module; zero.
    pub seam_attributes: U64,
    /// ATTRIBUTES of the TD.
    pub td_attributes: U64,
    /// XFAM of the TD.
    pub xfam: U64,
    /// MRTD.
    pub mrtd: Digest,
    /// MRCONFIGID.
    pub mr_config_id: Digest,
    /// MROWNER.
    pub mr_owner: Digest,
    /// MROWNERCONFIG.
    pub mr_owner_config: Digest,
    /// RTMR0 to RTMR3.
    pub rtmr: [Digest; 4],
    /// REPORTDATA.
    pub reportdata: [u8; 64],
}

/// The body of a Quote of version 5: a TDX 1.5 TD report.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TdBody1_5 {
    /// What a Quote of version 4 has.
    pub base: TdBody,
    /// TEE_TCB_SVN2: the security version of the TDX module that runs now.
    pub tee_tcb_svn2: [u8; 16],
    /// MRSERVICETD: the hash of the service TDs bound to the TD; zero when there are none.
    pub mr_service_td: Digest,
}

/// What precedes the body of a Quote of version 5.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BodyDescriptor {
    /// The kind of body.
    pub kind: U16,
    /// The length of the body in bytes.
    pub size: U32,
}

const _: () = {
    assert!(size_of::<TdBody>() == 584);
    assert!(offset_of!(TdBody, td_attributes) == 120);
    assert!(offset_of!(TdBody, mrtd) == 136);
    assert!(offset_of!(TdBody, rtmr) == 328);
    assert!(offset_of!(TdBody, reportdata) == 520);
    assert!(size_of::<TdBody1_5>() == 648);
    assert!(size_of::<BodyDescriptor>() == 6);
};

impl TdBody {
    /// What a Quote says of the TD of `report`.
    ///
    /// As the real quoting enclave does, this leaves MRSIGNERSEAM and SEAMATTRIBUTES zero, whatever the report has.
    pub fn of(report: &TdReport) -> Self {
        let (module, td) = (&report.tee_tcb_info, &report.td_info);
        Self {
            tee_tcb_svn: module.tee_tcb_svn,
            mr_seam: module.mr_seam,
            mr_signer_seam: Digest::ZERO,
            seam_attributes: U64::ZERO,
            td_attributes: td.attributes,
            xfam: td.xfam,
            mrtd: td.mrtd,
            mr_config_id: td.mr_config_id,
            mr_owner: td.mr_owner,
            mr_owner_config: td.mr_owner_config,
            rtmr: td.rtmr,
            reportdata: report.mac.reportdata,
        }
    }
}

impl BodyDescriptor {
    /// The kind of body that [`TdBody`] is.
    pub const TD_1_0: u16 = 2;
    /// The kind of body that [`TdBody1_5`] is.
    pub const TD_1_5: u16 = 3;
}
