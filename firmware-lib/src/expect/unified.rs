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
        if let Some(initrd) = image.section(".initrd") {
            // The stub pads each of the archives that it puts one after another.
            let padding = initrd.len().next_multiple_of(4) - initrd.len();
            let digest = sink.engine.digest(&[initrd, &[0; 4][..padding]]);
            let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::EVENT_TAG);
            sink.digest(rtmr, event_type, What::Initrd, digest);
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
