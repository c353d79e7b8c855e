// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TEE_TCB_INFO: the TDX module that made the report.

use crate::Digest;
use core::mem::{offset_of, size_of};
use zerocopy::byteorder::little_endian::U64;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of a [`TeeTcbInfo`] in bytes, as its hash covers it.
pub const TEE_TCB_INFO_LEN: usize = 239;

/// TEE_TCB_INFO: the TDX module that made the report.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TeeTcbInfo {
    /// VALID: which fields hold, a bit for each 8 bytes of this structure; see [`TeeTcbInfo::VALID_1_0`] and
    /// [`TeeTcbInfo::VALID_1_5`].
    pub valid: U64,
    /// TEE_TCB_SVN: the security version of the TDX module that created the TD.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM: the measurement of that module.
    pub mr_seam: Digest,
    /// MRSIGNERSEAM: who signed it; zero for Intel.
    pub mr_signer_seam: Digest,
    /// ATTRIBUTES of that module; zero.
    pub attributes: U64,
    /// TEE_TCB_SVN2: the security version of the TDX module that runs now, which may have been updated. Reserved, zero,
    /// in TDX 1.0; see [`TeeTcbInfo::tee_tcb_svn2`].
    pub tee_tcb_svn2: [u8; 16],
    /// Reserved, zero.
    pub reserved: [u8; 95],
}

const _: () = {
    assert!(size_of::<TeeTcbInfo>() == TEE_TCB_INFO_LEN);
    assert!(offset_of!(TeeTcbInfo, tee_tcb_svn) == 8);
    assert!(offset_of!(TeeTcbInfo, mr_seam) == 24);
    assert!(offset_of!(TeeTcbInfo, mr_signer_seam) == 72);
    assert!(offset_of!(TeeTcbInfo, attributes) == 120);
    assert!(offset_of!(TeeTcbInfo, tee_tcb_svn2) == 128);
};

impl TeeTcbInfo {
    /// VALID as TDX 1.0 sets it.
    pub const VALID_1_0: u64 = 0x1ff;
    /// VALID as TDX 1.5 sets it.
    pub const VALID_1_5: u64 = 0x301ff;

    /// TEE_TCB_SVN2, where the module is one that has it (TDX 1.5).
    pub fn tee_tcb_svn2(&self) -> Option<&[u8; 16]> {
        (self.valid.get() & Self::VALID_1_5 == Self::VALID_1_5).then_some(&self.tee_tcb_svn2)
    }
}
