// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured when a payload is booted.

use super::{action, Measurement, Payload, Recorded};
use crate::{EventType, HashEngine};
use core::fmt;
use tdx_call::{Error, RtmrIndex, Transport};
use tdx_uapi::Digest;

/// The tags of Linux's EFI stub.
///
/// Source: Linux, drivers/firmware/efi/libstub/efistub.h.
const LOAD_OPTIONS_TAG: u32 = 0x8f3b_22ed;
const INITRD_TAG: u32 = 0x8f3b_22ec;

/// A partition table's header, and the entries that one event can have.
const GPT_HEADER_LEN: usize = 92;
const MAX_PARTITIONS: usize = 128;

/// An image that was loaded, for the log.
#[derive(Clone, Copy, Debug)]
pub struct LoadedImage<'a> {
    /// Where it is in memory.
    pub location: u64,
    /// How many bytes it has.
    pub len: u64,
    /// Where it was linked to; 0 for what can be anywhere.
    pub link_time_address: u64,
    /// Where it came from, as UEFI's device path with the node that ends it.
    pub device_path: &'a [u8],
}

/// Why a partition table was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GptError {
    /// The header is not one, or its entries are not the bytes that it says.
    Malformed,
    /// There are more partitions than 128.
    TooMany,
    /// The TDX module refused to extend.
    Extend(Error),
}

impl fmt::Display for GptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "the partition table's header is not one, or tells of other entries than are given",
            ),
            Self::TooMany => write!(
                f,
                "more than {MAX_PARTITIONS} partitions, which are the most that is measured"
            ),
            Self::Extend(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for GptError {}

impl<T: Transport, E: HashEngine> Measurement<'_, T, E> {
    /// A program that is booted, such as a kernel: to RTMR1. `authenticode` is the Authenticode SHA-384 of its PE image.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn application(
        &mut self,
        authenticode: &Digest,
        image: &LoadedImage<'_>,
    ) -> Result<Recorded, Error> {
        self.record(
            RtmrIndex::Rtmr1,
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            authenticode,
            &[
                &image.location.to_le_bytes(),
                &image.len.to_le_bytes(),
                &image.link_time_address.to_le_bytes(),
                &(image.device_path.len() as u64).to_le_bytes(),
                image.device_path,
            ],
        )
    }

    /// The load options that a kernel is given, its command line, as Linux's EFI stub measures them: to RTMR2.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn load_options(&mut self, options: Payload<'_>) -> Result<Recorded, Error> {
        self.tagged(LOAD_OPTIONS_TAG, b"LOADED_IMAGE::LoadOptions\0", options)
    }

    /// An initrd, as Linux's EFI stub measures it: to RTMR2.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn initrd(&mut self, initrd: Payload<'_>) -> Result<Recorded, Error> {
        self.tagged(INITRD_TAG, b"Linux initrd\0", initrd)
    }

    /// The partition table of the disk that is booted from: to RTMR1. `header` is that of the disk, `entries` are as many
    /// as the header says; the used ones are measured.
    ///
    /// # Errors
    ///
    /// [`GptError`]; nothing was measured then.
    pub fn gpt(&mut self, header: &[u8], entries: &[u8]) -> Result<Recorded, GptError> {
        let header: &[u8; GPT_HEADER_LEN] = header
            .get(..GPT_HEADER_LEN)
            .and_then(|header| header.try_into().ok())
            .ok_or(GptError::Malformed)?;
        let field = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let (count, len) = field(80).zip(field(84)).ok_or(GptError::Malformed)?;
        let whole = header.starts_with(b"EFI PART")
            && len >= 128
            && count.checked_mul(len) == Some(entries.len());
        if !whole {
            return Err(GptError::Malformed);
        }
        let used = || {
            entries
                .chunks_exact(len)
                .filter(|entry| entry[..16] != [0; 16])
        };
        let used_count = used().count();
        if used_count > MAX_PARTITIONS {
            return Err(GptError::TooMany);
        }
        let used_len = (used_count as u64).to_le_bytes();
        let mut data: [&[u8]; MAX_PARTITIONS + 2] = [&[]; MAX_PARTITIONS + 2];
        data[0] = header;
        data[1] = &used_len;
        data[2..]
            .iter_mut()
            .zip(used())
            .for_each(|(part, entry)| *part = entry);
        let data = &data[..used_count + 2];
        self.measure(RtmrIndex::Rtmr1, EventType::EFI_GPT_EVENT, data, data)
            .map_err(GptError::Extend)
    }

    /// What edk2 measures when the payload ends boot services: that it was asked for and done, or only that it failed.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`]. These are two events in case of success: if the second fails, the first was measured.
    /// [`Measurement::action`] measures either by itself.
    pub fn exit_boot_services(&mut self, success: bool) -> Result<Recorded, Error> {
        if !success {
            return self.action(action::EXIT_BOOT_SERVICES_FAILURE);
        }
        self.action(action::EXIT_BOOT_SERVICES_INVOCATION)?;
        self.action(action::EXIT_BOOT_SERVICES_SUCCESS)
    }

    fn tagged(&mut self, tag: u32, name: &[u8], payload: Payload<'_>) -> Result<Recorded, Error> {
        let digest = payload.digest(&self.engine);
        self.record(
            RtmrIndex::Rtmr2,
            EventType::EVENT_TAG,
            &digest,
            // A name is short.
            &[&tag.to_le_bytes(), &(name.len() as u32).to_le_bytes(), name],
        )
    }
}
