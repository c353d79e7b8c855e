// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What RTMR0 to RTMR2 are to be after a boot, from a description of it.
//!
//! [`Boot`] describes a boot of edk2's TDVF. [`Boot::events`] tells what is measured, in order; [`Boot::rtmrs`] is what the
//! registers come to; and with the feature `reader`, `Boot::compare` explains event by event where a log differs. What
//! cannot be known beforehand, such as ACPI tables when the host is not to be asked for them, is left out of the
//! description; the registers that it goes into are then not predicted, while the comparison still checks the rest.
//!
//! Sources: edk2's OvmfPkg/IntelTdx, OvmfPkg/Tcg/TdTcg2Dxe, OvmfPkg/Library/QemuFwCfgLib/QemuFwCfgCacheInit.c,
//! OvmfPkg/Library/AcpiPlatformLib/QemuFwCfgAcpi.c and X86QemuLoadImageLib; Linux's
//! drivers/firmware/efi/libstub/efi-stub-helper.c; and logs of boots.

mod acpi;
mod authority;
#[cfg(feature = "reader")]
mod compare;
mod error;
mod event;
mod fw_cfg;
mod gpt;
mod kernel;
mod payload;
mod shim;
mod smbios;
mod stub;
mod unified;
mod variables;

pub use acpi::{AcpiBlobs, Blob};
pub use authority::Authority;
#[cfg(feature = "reader")]
pub use compare::{Difference, Summary};
pub use error::ExpectError;
pub use event::{ExpectedEvent, What};
pub use fw_cfg::{FwCfg, FwCfgFile, MEASURED_FW_CFG};
pub use gpt::PartitionTable;
pub use kernel::{KernelHeader, PatchedKernel};
pub use payload::{DirectBoot, DiskBoot, Image, LoaderEvent, Payload};
pub use shim::ShimBoot;
pub use smbios::smbios_digest;
pub use stub::stub_initrd_digest;
pub use unified::{StubInitrd, UnifiedBoot};
pub use variables::{StoredVariable, VariableStore};

use crate::hob::TdHob;
use crate::measurement::{action, SecureBootVariable};
use crate::tdvf::Tdvf;
use crate::{EventType, HashEngine, Rtmrs};
use event::Sink;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// Where the TDVF measures the separator before the first boot option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BootSeparator {
    /// In RTMR1: edk2-stable202411 and later.
    #[default]
    Rtmr1,
    /// In RTMR0, which then has two: edk2 before that.
    Rtmr0,
}

/// Whether the TDVF was built with Secure Boot, edk2's `SECURE_BOOT_ENABLE`. Its image does not show that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureBootSupport {
    /// It was, as distributions do: SecureBoot is 0 or 1, and images are verified while it is 1.
    #[default]
    BuiltIn,
    /// It was not, which is edk2's default: there is no SecureBoot, so it is measured empty, and no image is verified.
    Absent,
}

/// What is measured of the SMBIOS table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Smbios {
    /// Nothing: edk2 before its stable202505.
    NotMeasured,
    /// Something that is not known.
    #[default]
    Unknown,
    /// A hash of it, by [`smbios_digest`].
    Digest(Digest),
}

/// A UEFI variable that says what to boot.
#[derive(Clone, Copy, Debug)]
pub struct BootVariable<'a> {
    /// What it is called, BootOrder or Boot0000.
    pub name: &'a str,
    /// What is in it.
    pub data: &'a [u8],
}

/// A boot of edk2's TDVF, as far as it is measured.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// The firmware.
    pub firmware: Tdvf<'a>,
    /// The TD HOB that the VMM gives to it; [`crate::hob::qemu`] makes QEMU's. `None` if it is not known.
    pub td_hob: Option<TdHob<'a>>,
    /// QEMU's fw_cfg files.
    pub fw_cfg: FwCfg<'a>,
    /// What ACPI tables are made of. `None` if that is not known.
    pub acpi: Option<AcpiBlobs<'a>>,
    /// The SMBIOS table.
    pub smbios: Smbios,
    /// BootOrder and the options that it names, in this order. `None` if they are not known: firmware makes them of the
    /// devices that it finds.
    pub boot_variables: Option<&'a [BootVariable<'a>]>,
    /// Whether the firmware has Secure Boot.
    pub secure_boot: SecureBootSupport,
    /// Where the firmware puts a separator.
    pub boot_separator: BootSeparator,
    /// What is booted.
    pub payload: Payload<'a>,
    /// Whether the payload ends boot services, as an operating system does.
    pub exits_boot_services: bool,
}

impl Boot<'_> {
    /// Tells each event that extends a register, in the order in which it does.
    ///
    /// # Errors
    ///
    /// [`ExpectError`] when something in the description is not what it should be, such as a kernel that is no PE image.
    /// The events before it were told.
    pub fn events<'s>(
        &'s self,
        engine: &impl HashEngine,
        mut tell: impl FnMut(ExpectedEvent<'s>),
    ) -> Result<(), ExpectError> {
        let mut sink = Sink::new(engine, &mut tell);
        let cfv = self.firmware.cfv().ok_or(ExpectError::NoCfv)?.data;
        let store = VariableStore::parse(cfv)?;
        // The store with the db by which images are verified, where they are.
        let verified_by = Some(&store)
            .filter(|store| self.secure_boot == SecureBootSupport::BuiltIn && store.secure_boot());
        self.start(cfv, &store, &mut sink);
        if let Some(acpi) = &self.acpi {
            acpi.events(&mut sink)?;
        } else {
            sink.unknown(
                RtmrIndex::Rtmr0,
                EventType::PLATFORM_CONFIG_FLAGS,
                What::AcpiData,
            );
        }
        match &self.payload {
            Payload::Direct(direct) => {
                direct.load(&mut sink)?;
                self.ready_to_boot(&mut sink);
                direct.run(&mut sink);
            }
            Payload::Disk(disk) => {
                self.ready_to_boot(&mut sink);
                disk.events(&mut sink)?;
            }
            Payload::Shim(shim) => {
                self.ready_to_boot(&mut sink);
                shim.events(verified_by, &mut sink)?;
            }
            Payload::Unified(unified) => {
                self.ready_to_boot(&mut sink);
                unified.events(verified_by, &mut sink)?;
            }
        }
        if self.exits_boot_services {
            for text in [
                action::EXIT_BOOT_SERVICES_INVOCATION,
                action::EXIT_BOOT_SERVICES_SUCCESS,
            ] {
                sink.action(text);
            }
        }
        Ok(())
    }

    /// What the registers are to be. `None` for those into which something goes that is not known.
    ///
    /// RTMR2 is what it is when the operating system starts; that may extend it and RTMR3.
    ///
    /// # Errors
    ///
    /// As of [`Boot::events`].
    pub fn rtmrs(&self, engine: &impl HashEngine) -> Result<[Option<Digest>; 4], ExpectError> {
        let mut rtmrs = Rtmrs::ZERO;
        let mut known = [true; 4];
        self.events(engine, |event| match event.digest {
            Some(digest) => rtmrs.extend(engine, event.rtmr, &digest),
            None => known[event.rtmr as usize] = false,
        })?;
        let value = |index: RtmrIndex| known[index as usize].then_some(rtmrs[index]);
        Ok(RtmrIndex::ALL.map(value))
    }

    /// What is measured before the firmware looks for anything to boot.
    fn start<'s, E: HashEngine>(
        &'s self,
        cfv: &[u8],
        store: &VariableStore<'s>,
        sink: &mut Sink<'_, 's, E>,
    ) {
        let rtmr = RtmrIndex::Rtmr0;
        match &self.td_hob {
            Some(hob) => sink.bytes(
                rtmr,
                EventType::EFI_HANDOFF_TABLES2,
                What::TdHob,
                hob.measured(),
            ),
            None => sink.unknown(rtmr, EventType::EFI_HANDOFF_TABLES2, What::TdHob),
        }
        sink.bytes(rtmr, EventType::EFI_PLATFORM_FIRMWARE_BLOB2, What::Cfv, cfv);
        let event_type = EventType::PLATFORM_CONFIG_FLAGS;
        match self.fw_cfg {
            FwCfg::NotMeasured => {}
            FwCfg::Unknown => sink.unknown(rtmr, event_type, What::FwCfgFiles),
            FwCfg::Files(files) => {
                for file in fw_cfg::measured(files) {
                    sink.bytes(rtmr, event_type, What::FwCfg(file.name), file.contents);
                }
            }
        }
        // SecureBoot is volatile: it follows from what is stored.
        let secure_boot = [u8::from(store.secure_boot())];
        let secure_boot = match self.secure_boot {
            SecureBootSupport::BuiltIn => &secure_boot[..],
            SecureBootSupport::Absent => &[],
        };
        let stored = |variable: SecureBootVariable| match variable {
            SecureBootVariable::SecureBoot => secure_boot,
            _ => store.find(&variable.guid(), variable.name()).unwrap_or(&[]),
        };
        let dbt = Some(SecureBootVariable::Dbt).filter(|dbt| !stored(*dbt).is_empty());
        for variable in SecureBootVariable::ALL.into_iter().chain(dbt) {
            sink.variable(
                EventType::EFI_VARIABLE_DRIVER_CONFIG,
                What::SecureBoot(variable),
                &variable.guid(),
                variable.name().iter().copied(),
                &[stored(variable)],
            );
        }
        sink.separator(rtmr);
    }

    /// What is measured before the first boot option, or the kernel of a direct boot, is started.
    fn ready_to_boot<'s, E: HashEngine>(&'s self, sink: &mut Sink<'_, 's, E>) {
        let event_type = EventType::EFI_HANDOFF_TABLES;
        match self.smbios {
            Smbios::NotMeasured => {}
            Smbios::Unknown => sink.unknown(RtmrIndex::Rtmr0, event_type, What::Smbios),
            Smbios::Digest(digest) => {
                sink.digest(RtmrIndex::Rtmr0, event_type, What::Smbios, digest);
            }
        }
        let event_type = EventType::EFI_VARIABLE_BOOT;
        match self.boot_variables {
            Some(variables) => {
                for variable in variables {
                    let what = What::BootVariable(variable.name);
                    sink.bytes(RtmrIndex::Rtmr0, event_type, what, variable.data);
                }
            }
            None => sink.unknown(RtmrIndex::Rtmr0, event_type, What::BootVariables),
        }
        sink.action(action::CALLING_EFI_APPLICATION);
        sink.separator(match self.boot_separator {
            BootSeparator::Rtmr1 => RtmrIndex::Rtmr1,
            BootSeparator::Rtmr0 => RtmrIndex::Rtmr0,
        });
    }
}
