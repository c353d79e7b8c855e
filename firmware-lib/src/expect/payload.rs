// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the firmware boots.

use super::event::Sink;
use super::{Authority, ExpectError, KernelHeader, PatchedKernel, What};
use crate::pe::PeImage;
use crate::{EventType, HashEngine, Hasher};
use tdx_call::RtmrIndex;

/// What the firmware boots.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A kernel that QEMU gives to it, with `-kernel`.
    Direct(DirectBoot<'a>),
    /// A program from a disk, such as shim or a unified kernel image.
    Disk(DiskBoot<'a>),
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
        // The firmware's load options: UTF-16 with a zero at the end, and nothing at all when there is nothing to say.
        let prefix = self.initrd.map_or("", |_| "initrd=initrd ");
        if !(prefix.is_empty() && self.command_line.is_empty()) {
            let mut hasher = sink.engine.hasher();
            // The firmware turns each byte into a unit.
            for byte in prefix.bytes().chain(self.command_line.bytes()).chain([0]) {
                hasher.update(&u16::from(byte).to_le_bytes());
            }
            let digest = hasher.finish();
            sink.digest(rtmr, EventType::EVENT_TAG, What::LoadOptions, digest);
        }
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
    /// What the boot loader measures into RTMR2, each with what to call it: the texts of GRUB's commands and the files that
    /// it reads.
    pub boot_loader: &'a [(&'a str, &'a [u8])],
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
        for (name, measured) in self.boot_loader {
            sink.bytes(
                RtmrIndex::Rtmr2,
                EventType::IPL,
                What::BootLoader(name),
                measured,
            );
        }
        Ok(())
    }
}

fn authorities<'a, E: HashEngine>(authorities: &'a [Authority<'a>], sink: &mut Sink<'_, 'a, E>) {
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
