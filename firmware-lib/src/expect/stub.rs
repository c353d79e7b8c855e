// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The initrd that systemd's stub gives to the kernel of a unified kernel image: its section, and small archives of files
//! that the image has in other sections.
//!
//! Source: systemd 257, src/boot/stub.c (`generate_embedded_initrds` and `combine_initrds`) and src/boot/cpio.c.

use super::ExpectError;
use crate::pe::PeImage;
use crate::{HashEngine, Hasher};
use tdx_uapi::Digest;

/// The sections of which the stub makes archives, in order, and the name of the file in them.
const FILES: [(&str, &str); 4] = [
    (".pcrsig", "tpm2-pcr-signature.json"),
    (".pcrpkey", "tpm2-pcr-public-key.pem"),
    (".osrel", "os-release"),
    (".profile", "profile"),
];

/// The folder that these are in.
const FOLDER: &str = ".extra";

/// The hash of the initrd that the stub of systemd 257 gives to the kernel of `image`, where no credentials and extensions
/// lie beside the image. `None` if it gives none.
///
/// # Errors
///
/// [`ExpectError::Section`] and [`ExpectError::RepeatedSection`].
pub fn stub_initrd_digest(
    engine: &impl HashEngine,
    image: &PeImage<'_>,
) -> Result<Option<Digest>, ExpectError> {
    let mut archive = Archive {
        hasher: engine.hasher(),
        length: 0,
    };
    let mut parts = 0;
    for name in [".ucode", ".initrd"] {
        if let Some(part) = section(image, name)? {
            parts += 1;
            archive.pad();
            archive.add(part);
        }
    }
    for (name, file) in FILES {
        if let Some(contents) = section(image, name)? {
            parts += 1;
            archive.pad();
            archive.entry(1, 0o040_555, &[FOLDER], &[]);
            archive.entry(2, 0o100_444, &[FOLDER, "/", file], contents);
            archive.trailer();
        }
    }
    // A single part is handed over as it is.
    if parts > 1 {
        archive.pad();
    }
    Ok((parts != 0).then(|| archive.hasher.finish()))
}

/// What is in a section, if there is one of that name. An empty one is none.
pub(super) fn section<'a>(
    image: &PeImage<'a>,
    name: &'static str,
) -> Result<Option<&'a [u8]>, ExpectError> {
    if image.repeats_section(name) {
        return Err(ExpectError::RepeatedSection { name });
    }
    match image.section(name) {
        None if image.has_section(name) => Err(ExpectError::Section { name }),
        section => Ok(section.filter(|content| !content.is_empty())),
    }
}

/// What was hashed of an archive in the format `newc`.
struct Archive<H> {
    hasher: H,
    length: usize,
}

impl<H: Hasher> Archive<H> {
    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len();
    }

    fn pad(&mut self) {
        let padding = self.length.next_multiple_of(4) - self.length;
        self.add(&[0; 3][..padding]);
    }

    /// A file or folder.
    fn entry(&mut self, inode: u32, mode: u32, name: &[&str], contents: &[u8]) {
        let name_size: usize = name.iter().map(|part| part.len()).sum();
        let size = contents.len() as u32;
        let zero = 0;
        let name_size = name_size as u32 + 1;
        self.add(b"070701");
        for field in [
            inode, mode, zero, zero, 1, zero, size, zero, zero, zero, zero, name_size, zero,
        ] {
            self.add(&digits(field));
        }
        name.iter().for_each(|part| self.add(part.as_bytes()));
        self.add(&[0]);
        self.pad();
        self.add(contents);
        self.pad();
    }

    /// The end. Its one hexadecimal digit that is a letter is a capital one, unlike those elsewhere.
    fn trailer(&mut self) {
        self.add(b"070701");
        for field in [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] {
            self.add(&digits(field));
        }
        self.add(b"0000000B00000000TRAILER!!!\0\0\0\0");
    }
}

/// Eight hexadecimal digits.
fn digits(value: u32) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    core::array::from_fn(|at| DIGITS[(value >> (28 - 4 * at)) as usize & 0xf])
}
