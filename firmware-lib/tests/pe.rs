// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which PE images are measured, and what of them.

mod common;

use common::{
    pe, put, PE_CERTIFICATES, PE_CHECKSUM, PE_HEADER, PE_OPTIONAL, PE_SECTIONS, PE_SIZE_OF_HEADERS,
};
use proptest::prelude::*;
use tdx_firmware::pe::{PeError, PeImage};
use tdx_firmware::{HashEngine, Sha2};
use tdx_uapi::Digest;

fn good() -> Vec<u8> {
    pe(&[(0x200, 0x200), (0x400, 0x100)], 0x500)
}

fn hash(bytes: &[u8]) -> Digest {
    PeImage::parse(bytes).unwrap().authenticode(&Sha2)
}

fn error(bytes: &[u8]) -> PeError {
    PeImage::parse(bytes).expect_err("the image should be refused")
}

/// `good()` with `certificates` at its end.
fn signed(certificates: &[u8]) -> Vec<u8> {
    let mut image = good();
    let start = image.len() as u32;
    image.extend(certificates);
    put(&mut image, PE_CERTIFICATES, &start.to_le_bytes());
    let size = certificates.len() as u32;
    put(&mut image, PE_CERTIFICATES + 4, &size.to_le_bytes());
    image
}

#[test]
fn all_but_checksum_and_certificate_entry_is_hashed() {
    let image = good();
    let parts = [
        &image[..PE_CHECKSUM],
        &image[PE_CHECKSUM + 4..PE_CERTIFICATES],
        &image[PE_CERTIFICATES + 8..],
    ];
    assert_eq!(hash(&image), Sha2.digest(&parts));
}

#[test]
fn signing_does_not_change_the_hash() {
    let mut image = signed(&[0x55; 0x88]);
    put(&mut image, PE_CHECKSUM, &[1, 2, 3, 4]);
    assert_eq!(hash(&image), hash(&good()));
}

#[test]
fn every_other_byte_counts() {
    let image = good();
    for offset in (0..image.len()).step_by(3) {
        let excluded = (PE_CHECKSUM..PE_CHECKSUM + 4).contains(&offset)
            || (PE_CERTIFICATES..PE_CERTIFICATES + 8).contains(&offset);
        let mut changed = image.clone();
        changed[offset] ^= 0x80;
        if let Ok(changed) = PeImage::parse(&changed) {
            let same = changed.authenticode(&Sha2) == hash(&image);
            assert_eq!(same, excluded, "byte {offset:#x}");
        }
    }
}

#[test]
fn sections_are_hashed_in_the_order_of_the_file() {
    let image = pe(&[(0x400, 0x100), (0x200, 0x200), (0, 0)], 0x500);
    let parts = [
        &image[..PE_CHECKSUM],
        &image[PE_CHECKSUM + 4..PE_CERTIFICATES],
        &image[PE_CERTIFICATES + 8..PE_SIZE_OF_HEADERS],
        &image[0x200..0x500],
    ];
    assert_eq!(hash(&image), Sha2.digest(&parts));
}

#[test]
fn what_is_behind_the_sections_is_hashed() {
    let mut image = good();
    let before = hash(&image);
    image.extend([0; 8]);
    assert_ne!(hash(&image), before);
}

#[test]
fn images_without_a_certificate_entry_are_hashed_whole() {
    let mut image = good();
    put(&mut image, PE_OPTIONAL + 108, &4_u32.to_le_bytes());
    put(&mut image, PE_HEADER + 20, &(112_u16 + 32).to_le_bytes());
    image.copy_within(PE_SECTIONS..PE_SECTIONS + 80, PE_SECTIONS - 16);
    let parts = [&image[..PE_CHECKSUM], &image[PE_CHECKSUM + 4..]];
    assert_eq!(hash(&image), Sha2.digest(&parts));
}

#[test]
fn headers_are_checked() {
    assert_eq!(error(&[0; 63]), PeError::Size { found: 63 });
    assert_eq!(error(&[0; 64]), PeError::NoPeHeader { offset: 0 });
    let change = |offset: usize, value: &[u8]| {
        let mut image = good();
        put(&mut image, offset, value);
        error(&image)
    };
    let offset = 0xffff_ffff;
    assert_eq!(change(0x3c, &[0xff; 4]), PeError::NoPeHeader { offset });
    assert_eq!(
        change(PE_HEADER + 4, &[0x4c, 1]),
        PeError::Machine { found: 0x14c }
    );
    assert_eq!(
        change(PE_HEADER + 6, &[97, 0]),
        PeError::SectionCount { found: 97 }
    );
    assert_eq!(
        change(PE_OPTIONAL, &[7, 1]),
        PeError::Magic { found: 0x107 }
    );
    for directories in [5, 7, 17, 255] {
        assert!(matches!(
            change(PE_OPTIONAL + 108, &[directories]),
            PeError::Directories { .. }
        ));
    }
    for size in [0, 0x100, 0x501, u32::MAX] {
        assert!(matches!(
            change(PE_OPTIONAL + 60, &size.to_le_bytes()),
            PeError::HeaderSize { .. }
        ));
    }
    assert!(matches!(
        change(PE_OPTIONAL + 56, &0x200_u32.to_le_bytes()),
        PeError::HeaderSize { .. }
    ));
}

#[test]
fn sections_are_within_the_file_and_apart() {
    for section in [(0x1ff, 0x10), (0x400, 0x101), (u32::MAX - 0x1000, 0x2000)] {
        let image = pe(&[section], 0x500);
        assert!(matches!(error(&image), PeError::Section { index: 0, .. }));
    }
    let image = pe(&[(0x200, 0x101), (0x300, 0x100)], 0x500);
    assert_eq!(error(&image), PeError::Overlap { index: 0, other: 1 });
    let mut low = good();
    put(&mut low, PE_SECTIONS + 12, &0x100_u32.to_le_bytes());
    assert!(matches!(error(&low), PeError::Section { index: 0, .. }));
}

#[test]
fn the_certificates_are_the_end_of_the_file() {
    let mut followed = signed(&[0x55; 0x88]);
    followed.extend([0; 8]);
    assert!(matches!(error(&followed), PeError::Certificates { .. }));
    let mut within = good();
    put(&mut within, PE_CERTIFICATES, &0x400_u32.to_le_bytes());
    put(&mut within, PE_CERTIFICATES + 4, &0x100_u32.to_le_bytes());
    assert!(matches!(error(&within), PeError::Certificates { .. }));
}

#[test]
fn a_cut_image_is_refused() {
    let image = good();
    for length in 0..image.len() {
        assert!(PeImage::parse(&image[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1024)) {
        let _ = PeImage::parse(&bytes);
    }

    #[test]
    fn no_change_makes_it_panic(
        changes in proptest::collection::vec((0..PE_SIZE_OF_HEADERS, any::<u8>()), 1..8),
    ) {
        let mut image = signed(&[0x55; 0x88]);
        for (offset, value) in changes {
            image[offset] = value;
        }
        if let Ok(image) = PeImage::parse(&image) {
            image.authenticode(&Sha2);
        }
    }
}
