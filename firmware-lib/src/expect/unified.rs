// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Unified kernel images: kernel, command line and initrd in one PE image, with systemd's stub.
//!
//! Source: *UAPI.5 Unified Kernel Image*; systemd's src/boot/stub.c and src/fundamental/uki.c.

use super::event::Sink;
use super::payload::{authorities, load_options};
use super::{Authority, ExpectError, What};
use crate::pe::PeImage;
use crate::{EventType, HashEngine, Hasher};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// The sections that the stub measures, in the order in which it does.
const MEASURED: [&str; 14] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw",
];

/// A boot of a unified kernel image from a disk, without credentials, extensions or add-ons beside it.
#[derive(Clone, Copy, Debug)]
pub struct UnifiedBoot<'a> {
    /// The partition table, as of [`DiskBoot::gpt`](super::DiskBoot::gpt).
    pub gpt: Option<&'a [u8]>,
    /// The image's file.
    pub image: &'a [u8],
    /// The hash of the initrd that the stub gives to the kernel, if it is known. The stub of systemd 257 puts archives of
    /// its own behind the section `.initrd`, so that it is not that of the section. Without it RTMR2 is not predicted;
    /// the section itself is measured before, too.
    pub initrd: Option<Digest>,
    /// What let it pass, where Secure Boot is on.
    pub authorities: &'a [Authority<'a>],
}

impl<'a> UnifiedBoot<'a> {
    pub(super) fn events<E: HashEngine>(
        &self,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        if let Some(gpt) = self.gpt {
            let event_type = EventType::EFI_GPT_EVENT;
            sink.bytes(RtmrIndex::Rtmr1, event_type, What::Gpt, gpt);
        }
        authorities(self.authorities, sink);
        let image = parse(self.image, 0)?;
        application(&image, "unified kernel image", sink);
        for name in MEASURED {
            let Some(content) = image.section(name) else {
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
        application(&kernel, "kernel", sink);

        let line = image.section(".cmdline").unwrap_or_default();
        load_options(line.trim_ascii_end().iter().copied(), sink);
        if image.section(".initrd").is_some() {
            let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::EVENT_TAG);
            match self.initrd {
                Some(digest) => sink.digest(rtmr, event_type, What::Initrd, digest),
                None => sink.unknown(rtmr, event_type, What::Initrd),
            }
        }
        Ok(())
    }
}

fn parse(file: &[u8], index: usize) -> Result<PeImage<'_>, ExpectError> {
    PeImage::parse(file).map_err(|error| ExpectError::Image { index, error })
}

fn application<'a, E: HashEngine>(image: &PeImage<'a>, name: &'a str, sink: &mut Sink<'_, 'a, E>) {
    let digest = image.authenticode(sink.engine);
    sink.digest(
        RtmrIndex::Rtmr1,
        EventType::EFI_BOOT_SERVICES_APPLICATION,
        What::Image(name),
        digest,
    );
}
