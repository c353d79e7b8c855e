// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Events that are expected.

use super::PartitionTable;
use crate::measurement::SecureBootVariable;
use crate::pe::PeImage;
use crate::{EventType, Guid, HashEngine, Hasher};
use core::fmt;
use tdx_call::RtmrIndex;
use tdx_uapi::Digest;

/// What an expected event measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What<'a> {
    /// The VMM's description of the TD's memory.
    TdHob,
    /// The firmware's configuration volume, with the UEFI variables that the image comes with.
    Cfv,
    /// A file of QEMU's fw_cfg.
    FwCfg(&'a str),
    /// All files of QEMU's fw_cfg that are measured, any number.
    FwCfgFiles,
    /// A variable of Secure Boot.
    SecureBoot(SecureBootVariable),
    /// The end of a phase.
    Separator,
    /// A blob that ACPI tables are made of.
    Acpi(&'a str),
    /// All that ACPI tables are made of, any number of blobs.
    AcpiData,
    /// The SMBIOS table.
    Smbios,
    /// A variable that says what to boot.
    BootVariable(&'a str),
    /// All variables that say what to boot, any number.
    BootVariables,
    /// What the firmware does.
    Action(&'a str),
    /// What let an image pass: the name of the variable that it is in.
    Authority(&'a str),
    /// The partition table.
    Gpt,
    /// An image that was loaded, by the name that the description gives to it.
    Image(&'a str),
    /// The name of a section of a unified kernel image.
    SectionName(&'a str),
    /// What is in that section.
    Section(&'a str),
    /// The kernel's load options: its command line.
    LoadOptions,
    /// The initrd.
    Initrd,
    /// What a boot loader measures, by the name that the description gives to it.
    BootLoader(&'a str),
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TdHob => f.write_str("TD HOB"),
            Self::Cfv => f.write_str("CFV"),
            Self::FwCfg(file) => write!(f, "fw_cfg file {file}"),
            Self::FwCfgFiles => f.write_str("fw_cfg files"),
            Self::SecureBoot(variable) => {
                f.write_str("variable ")?;
                char::decode_utf16(variable.name().iter().copied())
                    .flatten()
                    .try_for_each(|c| fmt::Write::write_char(f, c))
            }
            Self::Separator => f.write_str("separator"),
            Self::Acpi(file) => write!(f, "ACPI blob {file}"),
            Self::AcpiData => f.write_str("ACPI blobs"),
            Self::Smbios => f.write_str("SMBIOS table"),
            Self::BootVariable(name) => write!(f, "variable {name}"),
            Self::BootVariables => f.write_str("boot variables"),
            Self::Action(text) => write!(f, "action {text:?}"),
            Self::Authority(variable) => write!(f, "authority of {variable}"),
            Self::Gpt => f.write_str("partition table"),
            Self::Image(name) => write!(f, "image {name}"),
            Self::SectionName(name) => write!(f, "name of section {name}"),
            Self::Section(name) => write!(f, "section {name}"),
            Self::LoadOptions => f.write_str("load options"),
            Self::Initrd => f.write_str("initrd"),
            Self::BootLoader(name) => write!(f, "boot loader: {name}"),
        }
    }
}

/// An event that is expected to extend a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedEvent<'a> {
    /// The register.
    pub rtmr: RtmrIndex,
    /// What the log calls it.
    pub event_type: EventType,
    /// What it measures.
    pub what: What<'a>,
    /// What the register is extended with. `None` if that is not known; then [`What::FwCfgFiles`], [`What::AcpiData`] and
    /// [`What::BootVariables`] stand for any number of events of the type.
    pub digest: Option<Digest>,
}

/// A line: register, type, digest, and what is measured.
impl fmt::Display for ExpectedEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RTMR{} {} ", self.rtmr as u8, self.event_type)?;
        match &self.digest {
            Some(digest) => write!(f, "{digest}")?,
            None => f.write_str("any digest")?,
        }
        write!(f, ": {}", self.what)
    }
}

/// Where expected events go.
pub(super) struct Sink<'t, 'a, E> {
    pub(super) engine: &'t E,
    tell: &'t mut dyn FnMut(ExpectedEvent<'a>),
}

impl<'t, 'a, E: HashEngine> Sink<'t, 'a, E> {
    pub(super) fn new(engine: &'t E, tell: &'t mut dyn FnMut(ExpectedEvent<'a>)) -> Self {
        Self { engine, tell }
    }

    pub(super) fn digest(
        &mut self,
        rtmr: RtmrIndex,
        event_type: EventType,
        what: What<'a>,
        digest: Digest,
    ) {
        (self.tell)(ExpectedEvent {
            rtmr,
            event_type,
            what,
            digest: Some(digest),
        });
    }

    /// An event that measures `bytes`.
    pub(super) fn bytes(
        &mut self,
        rtmr: RtmrIndex,
        event_type: EventType,
        what: What<'a>,
        bytes: &[u8],
    ) {
        let digest = self.engine.digest(&[bytes]);
        self.digest(rtmr, event_type, what, digest);
    }

    pub(super) fn unknown(&mut self, rtmr: RtmrIndex, event_type: EventType, what: What<'a>) {
        (self.tell)(ExpectedEvent {
            rtmr,
            event_type,
            what,
            digest: None,
        });
    }

    /// An event of RTMR0 that measures a variable with its name, as `UEFI_VARIABLE_DATA`.
    pub(super) fn variable(
        &mut self,
        event_type: EventType,
        what: What<'a>,
        guid: &Guid,
        name: impl Iterator<Item = u16> + Clone,
        contents: &[&[u8]],
    ) {
        let length: usize = contents.iter().map(|part| part.len()).sum();
        let mut hasher = self.engine.hasher();
        hasher.update(&guid.0);
        hasher.update(&(name.clone().count() as u64).to_le_bytes());
        hasher.update(&(length as u64).to_le_bytes());
        name.for_each(|unit| hasher.update(&unit.to_le_bytes()));
        contents.iter().for_each(|part| hasher.update(part));
        self.digest(RtmrIndex::Rtmr0, event_type, what, hasher.finish());
    }

    pub(super) fn separator(&mut self, rtmr: RtmrIndex) {
        self.bytes(rtmr, EventType::SEPARATOR, What::Separator, &[0; 4]);
    }

    /// An image that is started.
    pub(super) fn image(&mut self, name: &'a str, image: &PeImage<'_>) {
        let digest = image.authenticode(self.engine);
        self.digest(
            RtmrIndex::Rtmr1,
            EventType::EFI_BOOT_SERVICES_APPLICATION,
            What::Image(name),
            digest,
        );
    }

    pub(super) fn partitions(&mut self, table: Option<&PartitionTable<'_>>) {
        if let Some(table) = table {
            let digest = table.digest(self.engine);
            self.digest(
                RtmrIndex::Rtmr1,
                EventType::EFI_GPT_EVENT,
                What::Gpt,
                digest,
            );
        }
    }

    /// What Linux's EFI stub measures of load options, in units of UTF-16: nothing if there are none.
    pub(super) fn load_options(&mut self, units: impl Iterator<Item = u16> + Clone) {
        if units.clone().next().is_none() {
            return;
        }
        let mut hasher = self.engine.hasher();
        for unit in units {
            hasher.update(&unit.to_le_bytes());
        }
        let digest = hasher.finish();
        self.digest(
            RtmrIndex::Rtmr2,
            EventType::EVENT_TAG,
            What::LoadOptions,
            digest,
        );
    }

    /// What Linux's EFI stub measures of an initrd.
    pub(super) fn initrd(&mut self, initrd: Option<&[u8]>) {
        if let Some(initrd) = initrd.filter(|initrd| !initrd.is_empty()) {
            let (rtmr, event_type) = (RtmrIndex::Rtmr2, EventType::EVENT_TAG);
            self.bytes(rtmr, event_type, What::Initrd, initrd);
        }
    }

    pub(super) fn action(&mut self, text: &'static [u8]) {
        // The texts are ASCII.
        let what = What::Action(core::str::from_utf8(text).unwrap_or_default());
        self.bytes(RtmrIndex::Rtmr1, EventType::EFI_ACTION, what, text);
    }
}
