// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A PE image of any bytes: no panic, and what is hashed lies apart, in order, within the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tdx_firmware::expect::PatchedKernel;
use tdx_firmware::pe::PeImage;
use tdx_firmware::{HashEngine, Hasher, Sha2};

fuzz_target!(|bytes: &[u8]| {
    let Ok(image) = PeImage::parse(bytes) else {
        return;
    };
    let mut hasher = Sha2.hasher();
    let mut count = 0;
    for range in image.hashed_ranges() {
        assert!(range.start <= range.end && range.end <= bytes.len());
        hasher.update(&bytes[range]);
        count += 1;
    }
    // Three parts of the header, at most 96 sections, and the rest.
    assert!((4..=100).contains(&count));
    assert_eq!(image.authenticode(&Sha2), hasher.finish());

    if let Ok(kernel) = PatchedKernel::new(bytes, 1 << 31, Some(4096)) {
        kernel.authenticode(&image, &Sha2);
    }
});
