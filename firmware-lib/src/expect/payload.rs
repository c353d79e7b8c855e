// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the firmware boots.

use super::authority::authorities;
use super::event::Sink;
use super::{
    Authority, ExpectError, KernelHeader, PartitionTable, PatchedKernel, ShimBoot, UnifiedBoot,
    What,
};
use crate::pe::PeImage;
use crate::{EventType, HashEngine};
use tdx_call::RtmrIndex;

/// What the firmware boots.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A kernel that QEMU gives to it, with `-kernel`.
    Direct(DirectBoot<'a>),
    /// Shim from a disk, which starts GRUB, and that the kernel.
    Shim(ShimBoot<'a>),
    /// Programs from a disk, of which the description says all that is measured.
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
                PatchedKernel::new(&image, low_ram, self.initrd.map(<[u8]>::len))?
                    .authenticode(sink.engine)
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
        let prefix = self.initrd.map_or("", |_| "initrd=initrd ");
        let line = prefix.bytes().chain(self.command_line.bytes());
        if line.clone().next().is_some() {
            // The firmware makes a unit of each byte.
            sink.load_options(line.chain([0]).map(u16::from));
        }
        sink.initrd(self.initrd);
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
    /// The disk's partition table, if it has one.
    pub partitions: Option<PartitionTable<'a>>,
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
        sink.partitions(self.partitions.as_ref());
        for (index, image) in self.images.iter().enumerate() {
            authorities(image.authorities, sink);
            let file =
                PeImage::parse(image.file).map_err(|error| ExpectError::Image { index, error })?;
            sink.image(image.name, &file);
        }
        for event in self.boot_loader {
            let what = What::BootLoader(event.name);
            sink.bytes(RtmrIndex::Rtmr2, event.event_type, what, event.measured);
        }
        Ok(())
    }
}
