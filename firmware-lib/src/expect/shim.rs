// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shim and GRUB.
//!
//! Shim brings a certificate of its distribution, a list of what that has revoked, and a level below which components are
//! refused. It makes variables of them, which it measures where nobody has enrolled keys of his own.
//!
//! Source: shim's cert.S, mok.c, sbat_var.S, tpm.c and verify.c, version 16.1; GRUB's `grub_create_loader_cmdline`.

use super::authority::authorities;
use super::event::Sink;
use super::payload::LoaderEvent;
use super::{Authority, ExpectError, PartitionTable, VariableStore, What};
use crate::cursor::Cursor;
use crate::pe::PeImage;
use crate::{EventType, Guid, HashEngine};
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// `EFI_CERT_X509_GUID`.
const X509: Guid = Guid::new(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);

/// `EFI_CERT_SHA256_GUID`.
const SHA256: Guid = Guid::new(0xc1c41626_504c_4092_aca9_41f936934328);

/// The hash that shim puts into a list that would be empty.
const NOTHING: [u8; 32] = [0; 32];

/// What a certificate begins with.
const SEQUENCE: u8 = 0x30;

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
        let vendor = contents.vendor()?;
        let by = |image: &PeImage<'_>| Authority::of_image(verified_by?, image);
        let [grub_by, kernel_by] = [&grub, &kernel].map(by);
        // What lets an image pass that shim verifies.
        let authority = |by: Option<Authority<'a>>, sink: &mut Sink<'_, 'a, E>| match (by, vendor) {
            _ if verified_by.is_none() => {}
            (Some(db), _) => authorities(&[db], sink),
            (None, Some(certificate)) => sink.variable(
                EventType::EFI_VARIABLE_AUTHORITY,
                What::Authority(VENDOR),
                &Guid::SHIM_LOCK,
                VENDOR.encode_utf16(),
                &[&Guid::SHIM_LOCK.0, certificate],
            ),
            (None, None) => {}
        };

        authorities(by(&shim).as_slice(), sink);
        sink.partitions(self.partitions.as_ref());
        sink.image(images[0].0, &shim);
        contents.events(vendor, sink);
        // Firmware and shim each have a list of what they measured, so that may have been measured before.
        authority(grub_by, sink);
        sink.image(images[1].0, &grub);
        for event in self.commands {
            let what = What::BootLoader(event.name);
            sink.bytes(RtmrIndex::Rtmr2, event.event_type, what, event.measured);
        }
        if kernel_by != grub_by {
            authority(kernel_by, sink);
        }
        sink.image(images[2].0, &kernel);
        // GRUB tells the length without the zero at the end.
        sink.load_options(self.command_line.encode_utf16());
        sink.initrd(self.initrd);
        Ok(())
    }
}

/// What shim brings.
struct Contents<'a> {
    /// The distribution's certificate, or its lists of signatures. May be empty.
    certificate: &'a [u8],
    /// What the distribution revoked: lists of signatures. May be empty.
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

    /// The distribution's certificate, if there is one. Lists of signatures in its place begin with a GUID.
    fn vendor(&self) -> Result<Option<&'a [u8]>, ExpectError> {
        match self.certificate.first() {
            None => Ok(None),
            Some(&SEQUENCE) => Ok(Some(self.certificate)),
            Some(_) => Err(ExpectError::VendorDb),
        }
    }

    /// The variables that shim makes, and measures.
    fn events<E: HashEngine>(&self, vendor: Option<&[u8]>, sink: &mut Sink<'_, 'a, E>) {
        let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::IPL);
        let list = match vendor {
            Some(certificate) => own_list(sink.engine, &X509, certificate),
            None => own_list(sink.engine, &SHA256, &NOTHING),
        };
        sink.digest(rtmr, event_type, What::BootLoader("MokList"), list);
        let list = match self.revoked {
            [] => own_list(sink.engine, &SHA256, &NOTHING),
            revoked => sink.engine.digest(&[revoked]),
        };
        sink.digest(rtmr, event_type, What::BootLoader("MokListX"), list);
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

/// The hash of a list of one signature that is shim's own.
fn own_list(engine: &impl HashEngine, kind: &Guid, signature: &[u8]) -> Digest {
    let entry = 16 + signature.len() as u32;
    let [size, header, entry] = [28 + entry, 0, entry].map(u32::to_le_bytes);
    let owner = &Guid::SHIM_LOCK.0;
    engine.digest(&[&kind.0, &size, &header, &entry, owner, signature])
}
