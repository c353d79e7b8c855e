// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shim and GRUB.
//!
//! Shim brings a certificate of its distribution, a list of what that has revoked, and a level below which components are
//! refused. It makes variables of them, which it measures where nobody has enrolled keys of his own.
//!
//! Source: shim's cert.S, mok.c, sbat_var.S and tpm.c, version 16.1; GRUB's `grub_create_loader_cmdline`.

use super::authority::authorities;
use super::event::Sink;
use super::payload::LoaderEvent;
use super::{Authority, ExpectError, PartitionTable, VariableStore, What};
use crate::cursor::Cursor;
use crate::pe::PeImage;
use crate::{EventType, Guid, HashEngine, Hasher};
use tdx_call::RtmrIndex;

/// `EFI_CERT_X509_GUID`.
const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);

/// The variable in which shim says to have its distribution's certificate.
const VENDOR: &str = "MokListRT";

/// A boot from a disk through shim and GRUB, where nobody has enrolled keys with shim (MOKs).
#[derive(Clone, Copy, Debug)]
pub struct ShimBoot<'a> {
    /// The disk's partition table, if it has one.
    pub partitions: Option<PartitionTable<'a>>,
    /// Shim's file.
    pub shim: &'a [u8],
    /// GRUB's file.
    pub grub: &'a [u8],
    /// What GRUB measures itself: nothing if it looks for a TPM before, as GRUB 2.12 does. Else its commands and the files
    /// that it reads.
    pub commands: &'a [LoaderEvent<'a>],
    /// The kernel's file.
    pub kernel: &'a [u8],
    /// The kernel's command line as `/proc/cmdline` shows it: GRUB puts `BOOT_IMAGE=` and the kernel's path in front.
    pub command_line: &'a str,
    /// The initrd's file.
    pub initrd: Option<&'a [u8]>,
}

impl<'a> ShimBoot<'a> {
    pub(super) fn events<E: HashEngine>(
        &self,
        verified_by: Option<&VariableStore<'a>>,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        let images = [
            ("shim", self.shim),
            ("GRUB", self.grub),
            ("kernel", self.kernel),
        ];
        let [shim, grub, kernel] = [0, 1, 2].map(|index: usize| {
            PeImage::parse(images[index].1).map_err(|error| ExpectError::Image { index, error })
        });
        let (shim, grub, kernel) = (shim?, grub?, kernel?);
        let contents = Contents::of(&shim).ok_or(ExpectError::NoShim)?;
        let secure = verified_by.is_some();
        let by = |image: &PeImage<'_>| Authority::of_image(verified_by?, image);
        let shim_by = by(&shim);
        // What was measured once is not measured again.
        let mut vendor_is_measured = false;
        let mut authority = |image: &PeImage<'_>, sink: &mut Sink<'_, 'a, E>| match by(image) {
            _ if !secure => {}
            Some(db) if Some(db) == shim_by => {}
            Some(db) => authorities(&[db], sink),
            None if vendor_is_measured => {}
            None => {
                vendor_is_measured = true;
                sink.variable(
                    EventType::EFI_VARIABLE_AUTHORITY,
                    What::Authority(VENDOR),
                    &Guid::SHIM_LOCK,
                    VENDOR.encode_utf16(),
                    &[&Guid::SHIM_LOCK.0, contents.certificate],
                );
            }
        };

        authorities(shim_by.as_slice(), sink);
        sink.partitions(self.partitions.as_ref());
        sink.image(images[0].0, &shim);
        contents.events(sink);
        authority(&grub, sink);
        sink.image(images[1].0, &grub);
        for event in self.commands {
            let what = What::BootLoader(event.name);
            sink.bytes(RtmrIndex::Rtmr2, event.event_type, what, event.measured);
        }
        authority(&kernel, sink);
        sink.image(images[2].0, &kernel);
        // GRUB tells the length without the zero at the end.
        sink.load_options(self.command_line.encode_utf16());
        sink.initrd(self.initrd);
        Ok(())
    }
}

/// What shim brings.
struct Contents<'a> {
    /// The distribution's certificate.
    certificate: &'a [u8],
    /// What the distribution revoked: lists of signatures.
    revoked: &'a [u8],
    /// Below which levels components are refused.
    level: &'a [u8],
}

impl<'a> Contents<'a> {
    fn of(shim: &PeImage<'a>) -> Option<Self> {
        let keys = shim.section(".vendor_cert")?;
        let mut header = Cursor::new(keys);
        let mut number = || usize::try_from(header.u32()?).ok();
        let [size, revoked_size, start, revoked_start] =
            [number()?, number()?, number()?, number()?];
        let part = |start: usize, size| keys.get(start..start.checked_add(size)?);
        // A number, and where the level is that is in force by itself, from behind that number on; zero-terminated.
        let levels = shim.section(".sbatlevel")?.get(4..)?;
        let at = u32::from_le_bytes(*levels.first_chunk()?) as usize;
        let level = levels.get(at..)?;
        let end = level.iter().position(|byte| *byte == 0)?;
        Some(Self {
            certificate: part(start, size)?,
            revoked: part(revoked_start, revoked_size)?,
            level: &level[..end],
        })
    }

    /// The variables that shim makes, and measures.
    fn events<E: HashEngine>(&self, sink: &mut Sink<'_, 'a, E>) {
        let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::IPL);
        let mut list = sink.engine.hasher();
        let entry = 16 + self.certificate.len() as u32;
        list.update(&X509.0);
        for number in [28 + entry, 0, entry] {
            list.update(&number.to_le_bytes());
        }
        list.update(&Guid::SHIM_LOCK.0);
        list.update(self.certificate);
        let list = list.finish();
        sink.digest(rtmr, event_type, What::BootLoader("MokList"), list);
        let what = What::BootLoader("MokListX");
        sink.bytes(rtmr, event_type, what, self.revoked);
        sink.variable(
            EventType::EFI_VARIABLE_AUTHORITY,
            What::Authority("SbatLevel"),
            &Guid::SHIM_LOCK,
            "SbatLevel".encode_utf16(),
            &[self.level],
        );
        let what = What::BootLoader("MokListTrusted");
        sink.bytes(rtmr, event_type, what, &[1]);
    }
}
