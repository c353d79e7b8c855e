// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading what the host and a firmware's vendor made.

use core::hint::black_box;

/// The TD HOB, down to each resource.
#[cfg(feature = "hob")]
pub(crate) fn hob(area: &[u8]) {
    if let Ok(hobs) = tdx_firmware::hob::TdHob::parse(area) {
        black_box(hobs.measured());
        hobs.resources().for_each(|resource| {
            black_box(resource.range());
        });
    }
}

/// A TDVF's metadata, and its MRTD.
#[cfg(feature = "tdvf")]
pub(crate) fn tdvf(area: &[u8]) {
    use tdx_firmware::mrtd::{mrtd, RecordOrder};
    if let Ok(image) = tdx_firmware::tdvf::Tdvf::parse(area) {
        let order = black_box(RecordOrder::PageByPage);
        black_box(mrtd(&tdx_firmware::Sha2, &image, order));
    }
}

/// The Authenticode hash of a PE image.
#[cfg(feature = "pe")]
pub(crate) fn pe(area: &[u8]) {
    if let Ok(image) = tdx_firmware::pe::PeImage::parse(area) {
        black_box(image.authenticode(&tdx_firmware::Sha2));
    }
}
