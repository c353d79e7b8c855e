// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the firmware boots.

use super::event::Sink;
use super::{Authority, ExpectError, KernelHeader, PatchedKernel, UnifiedBoot, What};
use crate::pe::PeImage;
use crate::{EventType, HashEngine, Hasher};
use tdx_call::RtmrIndex;

/// What the firmware boots.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A kernel that QEMU gives to it, with `-kernel`.
    Direct(DirectBoot<'a>),
    /// Programs from a disk, such as shim, GRUB and a kernel.
    Disk(DiskBoot<'a>),
    /// A unified kernel image from a disk.
    Unified(UnifiedBoot<'a>),
}

/// A boot with QEMU's `-kernel`.
#[derive(Clone, Copy, Debug)]
pub struct DirectBoot<'a> {
    /// The kernel's file, a bzImage with an EFI stub.
    pub kernel: &'a [u8],
    /// Whether QEMU changes it.
    pub header: KernelHeader,
    /// The argument of `-append`.
    pub command_line: &'a str,
    /// The initrd's file.
    pub initrd: Option<&'a [u8]>,
    /// What let the kernel pass, where Secure Boot is on.
    pub authorities: &'a [Authority<'a>],
}

impl<'a> DirectBoot<'a> {
    /// What the firmware measures as it loads the kernel.
    pub(super) fn load<E: HashEngine>(
        &self,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        authorities(self.authorities, sink);
        let image =
            PeImage::parse(self.kernel).map_err(|error| ExpectError::Image { index: 0, error })?;
        let digest = match self.header {
            KernelHeader::AsFile => image.authenticode(sink.engine),
            KernelHeader::Patched { low_ram } => {
                PatchedKernel::new(self.kernel, low_ram, self.initrd.map(<[u8]>::len))?
                    .authenticode(&image, sink.engine)
            }
        };
        sink.digest(
            RtmrIndex::Rtmr1,
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            What::Image("kernel"),
            digest,
        );
        Ok(())
    }

    /// What the kernel's EFI stub measures.
    pub(super) fn run<E: HashEngine>(&self, sink: &mut Sink<'_, 'a, E>) {
        let rtmr = RtmrIndex::Rtmr2;
        let prefix = self.initrd.map_or("", |_| "initrd=initrd ");
        let bytes = prefix.bytes().chain(self.command_line.bytes());
        load_options(bytes, sink);
        if let Some(initrd) = self.initrd.filter(|initrd| !initrd.is_empty()) {
            sink.bytes(rtmr, EventType::EVENT_TAG, What::Initrd, initrd);
        }
    }
}

/// A program that is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// What to call it.
    pub name: &'a str,
    /// Its file.
    pub file: &'a [u8],
    /// What let it pass, where Secure Boot is on and that was not measured before.
    pub authorities: &'a [Authority<'a>],
}

/// A boot from a disk.
#[derive(Clone, Copy, Debug)]
pub struct DiskBoot<'a> {
    /// The partition table as it is measured: its header, the number of used entries in 8 bytes, those entries. `None` for a
    /// disk without one.
    pub gpt: Option<&'a [u8]>,
    /// The programs that are loaded as PE images, one after the other: shim, GRUB, kernel.
    pub images: &'a [Image<'a>],
    /// What goes into RTMR2, in order: shim's lists of keys, the texts of GRUB's commands and the files that it reads, and
    /// what the kernel's EFI stub measures.
    pub boot_loader: &'a [LoaderEvent<'a>],
}

/// Something that is measured into RTMR2.
#[derive(Clone, Copy, Debug)]
pub struct LoaderEvent<'a> {
    /// What to call it.
    pub name: &'a str,
    /// The type that the log has: [`EventType::IPL`] of boot loaders, [`EventType::EVENT_TAG`] of the kernel.
    pub event_type: EventType,
    /// What is measured: of GRUB's commands the text without what is before it in the log. Linux's load options are in
    /// UTF-16 and have a zero at their end.
    pub measured: &'a [u8],
}

impl<'a> DiskBoot<'a> {
    pub(super) fn events<E: HashEngine>(
        &self,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        if let Some(gpt) = self.gpt {
            sink.bytes(RtmrIndex::Rtmr1, EventType::EFI_GPT_EVENT, What::Gpt, gpt);
        }
        for (index, image) in self.images.iter().enumerate() {
            authorities(image.authorities, sink);
            let digest = PeImage::parse(image.file)
                .map_err(|error| ExpectError::Image { index, error })?
                .authenticode(sink.engine);
            sink.digest(
                RtmrIndex::Rtmr1,
                EventType::EFI_BOOT_SERVICES_APPLICATION,
                What::Image(image.name),
                digest,
            );
        }
        for event in self.boot_loader {
            let what = What::BootLoader(event.name);
            sink.bytes(RtmrIndex::Rtmr2, event.event_type, what, event.measured);
        }
        Ok(())
    }
}

pub(super) fn authorities<'a, E: HashEngine>(
    authorities: &'a [Authority<'a>],
    sink: &mut Sink<'_, 'a, E>,
) {
    for authority in authorities {
        sink.variable(
            EventType::EFI_VARIABLE_AUTHORITY,
            What::Authority(authority.name),
            &authority.guid,
            authority.name.encode_utf16(),
            authority.data,
        );
    }
}

/// What Linux's EFI stub measures of the load options that were made of these bytes: nothing if there are none, and
/// otherwise UTF-16 with a zero at the end.
pub(super) fn load_options<E: HashEngine>(
    bytes: impl Iterator<Item = u8> + Clone,
    sink: &mut Sink<'_, '_, E>,
) {
    if bytes.clone().next().is_none() {
        return;
    }
    let mut hasher = sink.engine.hasher();
    // Whoever makes them turns each byte into a unit.
    for byte in bytes.chain([0]) {
        hasher.update(&u16::from(byte).to_le_bytes());
    }
    let digest = hasher.finish();
    sink.digest(
        RtmrIndex::Rtmr2,
        EventType::EVENT_TAG,
        What::LoadOptions,
        digest,
    );
}
