// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The Authenticode hash of a PE image: how firmware measures what it loads, be it a kernel, a boot loader or a unified
//! kernel image.
//!
//! The hash leaves out what signing changes: the checksum, the certificate table and its entry among the data directories.
//! So it does not tell a signed image from an unsigned one.
//!
//! Images come from disks and hosts. An image that edk2's loader would refuse is refused here, and those, too, whose
//! sections overlap each other, of which loaders hash some bytes twice and others never.
//!
//! Sources: Microsoft, *Windows Authenticode Portable Executable Signature Format*, "Calculating the PE Image Hash";
//! *PE Format*; edk2's `MeasureBootPeCoff.c` and `BasePeCoff.c`.

mod error;
mod header;

pub use error::PeError;

use crate::{HashEngine, Hasher};
use core::fmt;
use core::ops::Range;
use header::{Header, Section};
use tdx_uapi::Digest;

/// The most sections that an image may have here, which is Windows's limit, too. Linux's kernel has 5.
pub const MAX_SECTIONS: usize = 96;

/// A PE image, checked.
#[derive(Clone, Copy)]
pub struct PeImage<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl fmt::Debug for PeImage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeImage")
            .field("size", &self.bytes.len())
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<'a> PeImage<'a> {
    /// Checks `bytes`, the whole file.
    ///
    /// # Errors
    ///
    /// [`PeError`] says what does not hold.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PeError> {
        let header = Header::parse(bytes)?;
        let image = Self { bytes, header };
        image.check_sections()?;
        image.check_certificates()?;
        Ok(image)
    }

    /// The whole file.
    #[cfg(feature = "predict")]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The Authenticode hash, which firmware extends RTMR1 with before it starts the image.
    pub fn authenticode(&self, engine: &impl HashEngine) -> Digest {
        let mut hasher = engine.hasher();
        for range in self.hashed_ranges() {
            hasher.update(&self.bytes[range]);
        }
        hasher.finish()
    }

    /// Which bytes of the file are hashed, in order.
    pub fn hashed_ranges(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let image = *self;
        let headers = image.header.size_of_headers;
        // The end of the last section, and how much was hashed up to there.
        let mut state = Some((headers, headers));
        let sections = core::iter::from_fn(move || {
            let (end, hashed) = state?;
            // In the order of the file, which need not be that of the table. There is nowhere to sort it, and it is short.
            if let Some(section) = image.next_section(end) {
                state = Some((section.end, hashed + (section.end - section.start)));
                return Some(section.start..section.end);
            }
            state = None;
            // What no section holds, counted from the sum of what was hashed: the same bytes as what is behind the last
            // section if there are no gaps between sections.
            let certificates = image.header.certificates.map_or(0, |(_, size)| size);
            Some(hashed..image.bytes.len() - certificates)
        });
        image.header_ranges().into_iter().chain(sections)
    }

    /// The subsystem: 10 for an EFI application.
    pub fn subsystem(&self) -> u16 {
        self.header.subsystem
    }

    /// What is in the first section of that name, such as `.cmdline`, without what pads it in the file. `None` if there is
    /// none, or if not all of it is in the file.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        let section = self.named(name).next()?;
        self.bytes
            .get(section.start..section.end)?
            .get(..section.virtual_size)
    }

    /// Whether there is a section of that name that has something in the file.
    pub fn has_section(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// Whether there are several sections of that name that have something in the file.
    #[cfg(feature = "predict")]
    pub(crate) fn repeats_section(&self, name: &str) -> bool {
        self.named(name).nth(1).is_some()
    }

    /// The certificate table: what the image was signed with. `None` if it was not.
    pub fn certificates(&self) -> Option<&'a [u8]> {
        let (start, size) = self.header.certificates?;
        self.bytes
            .get(start..start.checked_add(size)?)
            .filter(|table| !table.is_empty())
    }

    fn named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = Section> + use<'a, 'n> {
        self.sections()
            .filter(move |section| self.name(section) == name.as_bytes())
    }

    /// A section's name. One of more than 8 bytes is in the string table of GNU's linker: `/` and where.
    fn name<'n>(&'n self, section: &'n Section) -> &'n [u8] {
        let name = until_zero(&section.name);
        let long = || {
            let (b'/', digits) = name.split_first()? else {
                return None;
            };
            let offset: usize = core::str::from_utf8(digits).ok()?.parse().ok()?;
            let start = self.header.strings?.checked_add(offset)?;
            Some(until_zero(self.bytes.get(start..)?))
        };
        long().unwrap_or(name)
    }

    /// The header without the checksum and the certificate table's directory entry.
    fn header_ranges(&self) -> [Range<usize>; 3] {
        let header = &self.header;
        let after_checksum = header.checksum + 4;
        let (before_entry, after_entry) = match header.certificate_entry {
            Some(entry) => (entry, entry + 8),
            None => (after_checksum, after_checksum),
        };
        [
            0..header.checksum,
            after_checksum..before_entry,
            after_entry..header.size_of_headers,
        ]
    }

    /// The first section with data in the file at `from` or behind.
    fn next_section(&self, from: usize) -> Option<Section> {
        self.sections()
            .filter(|section| section.start >= from)
            .min_by_key(|section| section.start)
    }

    fn sections(&self) -> impl Iterator<Item = Section> + use<'a> {
        self.header.sections(self.bytes)
    }

    fn check_sections(&self) -> Result<(), PeError> {
        let headers = self.header.size_of_headers;
        for section in self.sections() {
            let Section {
                index,
                start,
                end,
                address,
                ..
            } = section;
            if start < headers || end > self.bytes.len() || address < headers {
                return Err(PeError::Section { index, start, end });
            }
            let overlap = self
                .sections()
                .take_while(|other| other.index < index)
                .find(|other| start < other.end && other.start < end);
            if let Some(other) = overlap {
                return Err(PeError::Overlap {
                    index: other.index,
                    other: index,
                });
            }
        }
        Ok(())
    }

    /// The certificate table must be the end of the file: it is left out of the hash, and nothing else may be.
    fn check_certificates(&self) -> Result<(), PeError> {
        let Some((start, size)) = self.header.certificates else {
            return Ok(());
        };
        let sections_end = self
            .sections()
            .map(|section| section.end)
            .fold(self.header.size_of_headers, usize::max);
        if size == 0 || (start >= sections_end && start.checked_add(size) == Some(self.bytes.len()))
        {
            Ok(())
        } else {
            Err(PeError::Certificates { start, size })
        }
    }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}
