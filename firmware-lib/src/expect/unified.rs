// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Unified kernel images: kernel, command line and initrd in one PE image, with systemd's stub.
//!
//! Source: *UAPI.5 Unified Kernel Image*; systemd's src/boot/stub.c, src/boot/linux.c (`load_image`),
//! src/boot/secure-boot.c (`install_security_override`) and src/fundamental/uki.c.

use super::authority::authorities;
use super::event::Sink;
use super::stub::{section, stub_initrd_digest};
use super::{Authority, ExpectError, PartitionTable, VariableStore, What};
use crate::pe::PeImage;
use crate::{EventType, HashEngine, Hasher};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// The sections that the stub measures, in the order in which it does.
const MEASURED: [&str; 14] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw",
];

/// A boot of a unified kernel image from a disk, with the stub of systemd 257, without credentials, extensions or add-ons
/// beside it. The image has no more than one profile, which repeats no section.
#[derive(Clone, Copy, Debug)]
pub struct UnifiedBoot<'a> {
    /// The disk's partition table, if it has one.
    pub partitions: Option<PartitionTable<'a>>,
    /// The image's file.
    pub image: &'a [u8],
    /// What initrd the kernel gets.
    pub initrd: StubInitrd,
}

/// The initrd that the stub gives to the kernel. It is not that of the section `.initrd`, which is measured before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StubInitrd {
    /// That of systemd 257, as of [`stub_initrd_digest`].
    #[default]
    Systemd257,
    /// One with this hash.
    Digest(Digest),
    /// One that is not known. RTMR2 is not predicted then.
    Unknown,
}

impl<'a> UnifiedBoot<'a> {
    pub(super) fn events<E: HashEngine>(
        &self,
        verified_by: Option<&VariableStore<'a>>,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        let image = parse(self.image, 0)?;
        if let Some(store) = verified_by {
            let authority = Authority::of_image(store, &image);
            authorities(authority.as_slice(), sink);
        }
        sink.partitions(self.partitions.as_ref());
        sink.image("unified kernel image", &image);
        for name in MEASURED {
            let Some(content) = section(&image, name)? else {
                continue;
            };
            // The name has its zero.
            let mut hasher = sink.engine.hasher();
            hasher.update(name.as_bytes());
            hasher.update(&[0]);
            let digest = hasher.finish();
            let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::IPL);
            sink.digest(rtmr, event_type, What::SectionName(name), digest);
            sink.bytes(rtmr, event_type, What::Section(name), content);
        }
        let kernel = parse(image.section(".linux").unwrap_or_default(), 1)?;
        // While Secure Boot is on, the stub lets the kernel pass in the firmware's place, which then does not measure it.
        if verified_by.is_none() {
            sink.image("kernel", &kernel);
        }

        let mut line = stub_line(image.section(".cmdline").unwrap_or_default())?.peekable();
        if line.peek().is_some() {
            sink.load_options(line.chain([0]));
        }
        let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::EVENT_TAG);
        match self.initrd {
            StubInitrd::Systemd257 => {
                if let Some(digest) = stub_initrd_digest(sink.engine, &image)? {
                    sink.digest(rtmr, event_type, What::Initrd, digest);
                }
            }
            StubInitrd::Digest(digest) => sink.digest(rtmr, event_type, What::Initrd, digest),
            StubInitrd::Unknown => sink.unknown(rtmr, event_type, What::Initrd),
        }
        Ok(())
    }
}

/// The command line that the stub makes of its section, in units of UTF-16: up to the first zero, with what is blank or
/// a control character made a blank, and none of these around it. What takes two units is left out.
fn stub_line(section: &[u8]) -> Result<impl Iterator<Item = u16> + Clone + '_, ExpectError> {
    let is_blank = |one: char| one <= ' ' || one == '\x7f';
    let is_wide = |one: char| one > '\u{ffff}';
    let end = section.iter().position(|byte| *byte == 0);
    let line = &section[..end.unwrap_or(section.len())];
    let line = core::str::from_utf8(line).map_err(|error| ExpectError::CommandLine {
        offset: error.valid_up_to(),
    })?;
    let line = line.trim_matches(move |one| is_blank(one) || is_wide(one));
    let units = line.chars().filter(move |one| !is_wide(*one));
    Ok(units.map(move |one| {
        if is_blank(one) {
            ' ' as u16
        } else {
            one as u16
        }
    }))
}

fn parse(file: &[u8], index: usize) -> Result<PeImage<'_>, ExpectError> {
    PeImage::parse(file).map_err(|error| ExpectError::Image { index, error })
}
