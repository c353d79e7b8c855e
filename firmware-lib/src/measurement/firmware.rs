// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a TDVF measures before it boots anything.

use super::{Measurement, Payload, Recorded};
use crate::{EventType, Guid, HashEngine};
use tdx_call::{Error, RtmrIndex, Transport};
use zerocopy::IntoBytes;

/// The strings of [`Measurement::action`].
///
/// Source: *TCG PC Client Platform Firmware Profile Specification*, "EV_EFI_ACTION Event Types".
pub mod action {
    /// Before each boot option.
    pub const CALLING_EFI_APPLICATION: &[u8] = b"Calling EFI Application from Boot Option";
    /// When a boot option came back.
    pub const RETURNING_FROM_EFI_APPLICATION: &[u8] =
        b"Returning from EFI Application from Boot Option";
    /// Before boot services end.
    pub const EXIT_BOOT_SERVICES_INVOCATION: &[u8] = b"Exit Boot Services Invocation";
    /// When they ended.
    pub const EXIT_BOOT_SERVICES_SUCCESS: &[u8] = b"Exit Boot Services Returned with Success";
    /// When they did not end.
    pub const EXIT_BOOT_SERVICES_FAILURE: &[u8] = b"Exit Boot Services Returned with Failure";
}

/// A variable that says what may be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureBootVariable {
    /// Whether secure boot is on.
    SecureBoot,
    /// Who may change KEK.
    Pk,
    /// Who may change db and dbx.
    Kek,
    /// What may be booted.
    Db,
    /// What may not.
    Dbx,
    /// Whose timestamps are believed.
    Dbt,
}

impl SecureBootVariable {
    /// Those that a TDVF measures whether they exist or not, in its order. [`SecureBootVariable::Dbt`] comes behind them, and
    /// only where it exists.
    pub const ALL: [Self; 5] = [Self::SecureBoot, Self::Pk, Self::Kek, Self::Db, Self::Dbx];

    /// Whose it is.
    pub const fn guid(self) -> Guid {
        match self {
            Self::SecureBoot | Self::Pk | Self::Kek => Guid::GLOBAL_VARIABLE,
            Self::Db | Self::Dbx | Self::Dbt => Guid::IMAGE_SECURITY_DATABASE,
        }
    }

    /// What it is called, without a zero at its end.
    pub const fn name(self) -> &'static [u16] {
        const SECURE_BOOT: [u16; 10] = ucs2(b"SecureBoot");
        const PK: [u16; 2] = ucs2(b"PK");
        const KEK: [u16; 3] = ucs2(b"KEK");
        const DB: [u16; 2] = ucs2(b"db");
        const DBX: [u16; 3] = ucs2(b"dbx");
        const DBT: [u16; 3] = ucs2(b"dbt");
        match self {
            Self::SecureBoot => &SECURE_BOOT,
            Self::Pk => &PK,
            Self::Kek => &KEK,
            Self::Db => &DB,
            Self::Dbx => &DBX,
            Self::Dbt => &DBT,
        }
    }
}

const fn ucs2<const N: usize>(text: &[u8; N]) -> [u16; N] {
    let mut units = [0; N];
    let mut at = 0;
    while at < N {
        units[at] = text[at] as u16;
        at += 1;
    }
    units
}

impl<T: Transport, E: HashEngine> Measurement<'_, T, E> {
    /// The TD HOB, by which the host describes the TD's memory: to RTMR0, before it is used.
    ///
    /// `hobs` is the list *without* the HOB that ends it, which TDVF leaves out; `address` is where the list is.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn td_hob(&mut self, hobs: Payload<'_>, address: u64) -> Result<Recorded, Error> {
        const DESCRIPTION: &[u8] = b"\x09TdxTable\0";
        let data: [&[u8]; 4] = [
            DESCRIPTION,
            &1u64.to_le_bytes(),
            &Guid::TD_TABLE.0,
            &address.to_le_bytes(),
        ];
        let digest = hobs.digest(&self.engine);
        self.record(
            RtmrIndex::Rtmr0,
            EventType::EFI_HANDOFF_TABLES2,
            &digest,
            &data,
        )
    }

    /// The configuration firmware volume, which holds the UEFI variables: to RTMR0. `base` and `len` say where it is,
    /// `name` is the volume's GUID; without one edk2 writes an X for each digit.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn cfv(
        &mut self,
        volume: Payload<'_>,
        name: Option<&Guid>,
        base: u64,
        len: u64,
    ) -> Result<Recorded, Error> {
        const ANONYMOUS: [u8; 36] = *b"XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX";
        let name = name.map_or(ANONYMOUS, Guid::to_text);
        let data: [&[u8]; 5] = [
            b"\x29Fv(",
            &name,
            b")\0",
            &base.to_le_bytes(),
            &len.to_le_bytes(),
        ];
        let digest = volume.digest(&self.engine);
        self.record(
            RtmrIndex::Rtmr0,
            EventType::EFI_PLATFORM_FIRMWARE_BLOB2,
            &digest,
            &data,
        )
    }

    /// A variable of secure boot, which is empty where it does not exist: to RTMR0. A TDVF measures
    /// [all of them](SecureBootVariable::ALL), then a [separator](Self::separator).
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn secure_boot_variable(
        &mut self,
        variable: SecureBootVariable,
        contents: &[u8],
    ) -> Result<Recorded, Error> {
        self.whole_variable(
            EventType::EFI_VARIABLE_DRIVER_CONFIG,
            &variable.guid(),
            variable.name(),
            contents,
        )
    }

    /// The entry of db, or what else let an image pass: to RTMR0.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn authority(
        &mut self,
        guid: &Guid,
        name: &[u16],
        contents: &[u8],
    ) -> Result<Recorded, Error> {
        self.whole_variable(EventType::EFI_VARIABLE_AUTHORITY, guid, name, contents)
    }

    /// A variable that says what to boot, BootOrder or Boot0000: to RTMR0. Only its contents are hashed.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn boot_variable(&mut self, name: &[u16], contents: &[u8]) -> Result<Recorded, Error> {
        let [name_len, len] = lengths(name, contents);
        let data: [&[u8]; 5] = [
            &Guid::GLOBAL_VARIABLE.0,
            &name_len,
            &len,
            name.as_bytes(),
            contents,
        ];
        self.measure(
            RtmrIndex::Rtmr0,
            EventType::EFI_VARIABLE_BOOT,
            &[contents],
            &data,
        )
    }

    /// A blob from which ACPI tables are made: QEMU's etc/table-loader, etc/acpi/rsdp, etc/acpi/tables, in this order.
    /// To RTMR0.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn acpi_blob(&mut self, blob: Payload<'_>) -> Result<Recorded, Error> {
        let digest = blob.digest(&self.engine);
        self.record(
            RtmrIndex::Rtmr0,
            EventType::PLATFORM_CONFIG_FLAGS,
            &digest,
            &[b"ACPI DATA"],
        )
    }

    /// A file of QEMU's fw_cfg, as recent edk2 measures it: to RTMR0. QEMU's names have at most 55 bytes; of a longer one
    /// the beginning is in the log.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn fw_cfg(&mut self, file: &str, contents: Payload<'_>) -> Result<Recorded, Error> {
        const LEN: usize = 56;
        const ZEROS: [u8; LEN] = [0; LEN];
        let name = file.as_bytes();
        let name = name.get(..LEN - 1).unwrap_or(name);
        let digest = contents.digest(&self.engine);
        self.record(
            RtmrIndex::Rtmr0,
            EventType::PLATFORM_CONFIG_FLAGS,
            &digest,
            &[b"QEMU FW CFG\0", name, &ZEROS[name.len()..]],
        )
    }

    /// The end of a phase: to RTMR0 behind the variables of secure boot, to RTMR1 before the first boot option (edk2 before
    /// its stable202411: to RTMR0).
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn separator(&mut self, rtmr: RtmrIndex) -> Result<Recorded, Error> {
        const SEPARATOR: &[&[u8]] = &[&[0; 4]];
        self.measure(rtmr, EventType::SEPARATOR, SEPARATOR, SEPARATOR)
    }

    /// What the firmware does, one of [`mod@action`]: to RTMR1.
    ///
    /// # Errors
    ///
    /// As of [`Measurement::record`].
    pub fn action(&mut self, action: &[u8]) -> Result<Recorded, Error> {
        self.measure(
            RtmrIndex::Rtmr1,
            EventType::EFI_ACTION,
            &[action],
            &[action],
        )
    }

    /// A variable of which everything is hashed.
    fn whole_variable(
        &mut self,
        event_type: EventType,
        guid: &Guid,
        name: &[u16],
        contents: &[u8],
    ) -> Result<Recorded, Error> {
        let [name_len, len] = lengths(name, contents);
        let data: [&[u8]; 5] = [&guid.0, &name_len, &len, name.as_bytes(), contents];
        self.measure(RtmrIndex::Rtmr0, event_type, &data, &data)
    }
}

/// The length of the name in characters and of the contents in bytes, as `UEFI_VARIABLE_DATA` has them.
fn lengths(name: &[u16], contents: &[u8]) -> [[u8; 8]; 2] {
    [name.len(), contents.len()].map(|len| (len as u64).to_le_bytes())
}
