// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TDINFO_STRUCT: the TD.

use crate::{Attributes, Digest, Xfam};
use core::mem::{offset_of, size_of};
use zerocopy::byteorder::little_endian::U64;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of a [`TdInfo`] in bytes.
pub const TDINFO_LEN: usize = 512;

/// TDINFO_STRUCT: what a TD is and what was measured in it.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TdInfo {
    /// ATTRIBUTES; see [`TdInfo::attributes`].
    pub attributes: U64,
    /// XFAM; see [`TdInfo::xfam`].
    pub xfam: U64,
    /// MRTD: the measurement of the TD's initial content, its virtual firmware.
    pub mrtd: Digest,
    /// MRCONFIGID: an identifier that the TD's owner had the host set, of a configuration that is not measured.
    pub mr_config_id: Digest,
    /// MROWNER: an identifier of the TD's owner.
    pub mr_owner: Digest,
    /// MROWNERCONFIG: an identifier of the owner's configuration.
    pub mr_owner_config: Digest,
    /// RTMR0 to RTMR3: the runtime measurement registers.
    pub rtmr: [Digest; 4],
    /// SERVTD_HASH: the hash of the service TDs bound to this one; zero when there are none, and in TDX 1.0.
    pub servtd_hash: Digest,
    /// Reserved, zero.
    pub reserved: [u8; 64],
}

const _: () = {
    assert!(size_of::<TdInfo>() == TDINFO_LEN);
    assert!(offset_of!(TdInfo, xfam) == 520 - 512);
    assert!(offset_of!(TdInfo, mrtd) == 528 - 512);
    assert!(offset_of!(TdInfo, mr_config_id) == 576 - 512);
    assert!(offset_of!(TdInfo, mr_owner) == 624 - 512);
    assert!(offset_of!(TdInfo, mr_owner_config) == 672 - 512);
    assert!(offset_of!(TdInfo, rtmr) == 720 - 512);
    assert!(offset_of!(TdInfo, servtd_hash) == 912 - 512);
    assert!(offset_of!(TdInfo, reserved) == 960 - 512);
};

impl TdInfo {
    /// The TD's attributes.
    pub const fn attributes(&self) -> Attributes {
        Attributes(self.attributes.get())
    }

    /// The extended features that the TD may use.
    pub const fn xfam(&self) -> Xfam {
        Xfam(self.xfam.get())
    }
}
