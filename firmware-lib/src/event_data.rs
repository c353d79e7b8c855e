// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the data of an event says, by the event's type.
//!
//! Source: *TCG PC Client Platform Firmware Profile Specification*, "Event Descriptions"; where edk2, GRUB, shim or Linux
//! write what no specification describes, their source is named.

mod device_path;
mod gpt;
mod image;
mod load_option;
mod signature_list;
mod tables;
mod text;
mod variable;

pub use device_path::{DeviceNode, DevicePath};
pub use gpt::{Gpt, GptPartition};
pub use image::ImageLoad;
pub use load_option::LoadOption;
pub use signature_list::{SignatureList, SignatureLists};
pub use tables::{FirmwareBlob, HandoffTables};
pub use text::{Ascii, Ucs2};
pub use variable::{UefiVariable, VariableValue};

use crate::cursor::Cursor;
use crate::event_log::SpecId;
use crate::{EventType, MrIndex};
use core::fmt;
use tdx_uapi::Hex;

/// The tag of an event for the load options of a kernel, its command line.
///
/// Source: Linux, drivers/firmware/efi/libstub/efistub.h.
pub const LOAD_OPTIONS_TAG: u32 = 0x8f3b_22ed;
/// The tag of an event for an initrd.
///
/// Source: as of [`LOAD_OPTIONS_TAG`].
pub const INITRD_TAG: u32 = 0x8f3b_22ec;

/// What the data of an event says. It borrows from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventData<'a> {
    /// The header of a log.
    SpecId(SpecId<'a>),
    /// The locality from which a TPM was started.
    StartupLocality(u8),
    /// Separates two phases of a boot. 0 and 0xffffffff are usual, 1 tells of an error.
    Separator(u32),
    /// A string, or what names the thing that was measured.
    Text(Ascii<'a>),
    /// A string in UCS-2.
    TextUcs2(Ucs2<'a>),
    /// A command of GRUB.
    GrubCommand(Ascii<'a>),
    /// A command line for the kernel, as GRUB measured it.
    KernelCommandLine(Ascii<'a>),
    /// A file that QEMU gives to the firmware, by name. Recent edk2 only.
    FwCfg(Ascii<'a>),
    /// A variable of UEFI.
    Variable(UefiVariable<'a>),
    /// Tables that were handed over, such as the TD HOB.
    HandoffTables(HandoffTables<'a>),
    /// A volume of the firmware.
    FirmwareBlob(FirmwareBlob<'a>),
    /// A program or driver that was loaded.
    ImageLoad(ImageLoad<'a>),
    /// The partition table of the disk that is booted from.
    Gpt(Gpt<'a>),
    /// Something of which a tag says what it is.
    Tagged {
        /// [`LOAD_OPTIONS_TAG`], [`INITRD_TAG`] or another.
        tag: u32,
        /// What belongs to the tag.
        data: &'a [u8],
    },
    /// Nothing that is known, or not in the form that the type asks for.
    Unknown(&'a [u8]),
}

/// What the data of edk2's event for a file of QEMU begins with.
///
/// Source: edk2, OvmfPkg/Library/QemuFwCfgLib, `FW_CFG_EVENT`.
const FW_CFG: &[u8] = b"QEMU FW CFG\0";

impl<'a> EventData<'a> {
    /// Reads the data of an event of this register and type. There is no error: what is not understood is
    /// [`EventData::Unknown`].
    pub fn decode(mr: MrIndex, event_type: EventType, data: &'a [u8]) -> Self {
        let decoded = match event_type {
            EventType::NO_ACTION => no_action(mr, data),
            EventType::SEPARATOR => data
                .try_into()
                .ok()
                .map(u32::from_le_bytes)
                .map(Self::Separator),
            EventType::EVENT_TAG => tagged(data).or_else(|| text(data)),
            EventType::IPL => ipl(data),
            EventType::PLATFORM_CONFIG_FLAGS => {
                fw_cfg(data).or_else(|| text(data)).or_else(|| ucs2(data))
            }
            EventType::EFI_VARIABLE_DRIVER_CONFIG
            | EventType::EFI_VARIABLE_BOOT
            | EventType::EFI_VARIABLE_BOOT2
            | EventType::EFI_VARIABLE_AUTHORITY => UefiVariable::parse(data).map(Self::Variable),
            EventType::EFI_BOOT_SERVICES_APPLICATION
            | EventType::EFI_BOOT_SERVICES_DRIVER
            | EventType::EFI_RUNTIME_SERVICES_DRIVER => ImageLoad::parse(data).map(Self::ImageLoad),
            EventType::EFI_GPT_EVENT | EventType::EFI_GPT_EVENT2 => Gpt::parse(data).map(Self::Gpt),
            EventType::EFI_HANDOFF_TABLES => HandoffTables::parse(data).map(Self::HandoffTables),
            EventType::EFI_HANDOFF_TABLES2 => HandoffTables::parse2(data).map(Self::HandoffTables),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB => {
                FirmwareBlob::parse(data).map(Self::FirmwareBlob)
            }
            EventType::EFI_PLATFORM_FIRMWARE_BLOB2 => {
                FirmwareBlob::parse2(data).map(Self::FirmwareBlob)
            }
            _ => text(data),
        };
        decoded.unwrap_or(Self::Unknown(data))
    }
}

fn no_action(mr: MrIndex, data: &[u8]) -> Option<EventData<'_>> {
    if let Ok(spec_id) = SpecId::parse_data(mr, EventType::NO_ACTION, data) {
        return Some(EventData::SpecId(spec_id));
    }
    match data.strip_prefix(b"StartupLocality\0") {
        Some([locality]) => Some(EventData::StartupLocality(*locality)),
        _ => text(data),
    }
}

/// Text that can be shown: printable, perhaps with zeros behind it.
fn text(data: &[u8]) -> Option<EventData<'_>> {
    Ascii::printable(data).map(EventData::Text)
}

/// A name in UCS-2, as older firmware writes for the kernel of a direct boot.
fn ucs2(data: &[u8]) -> Option<EventData<'_>> {
    Ucs2::printable(data).map(EventData::TextUcs2)
}

fn tagged(data: &[u8]) -> Option<EventData<'_>> {
    let mut cursor = Cursor::new(data);
    let tag = cursor.u32()?;
    let size = cursor.u32()?;
    let data = cursor.take_u32(size)?;
    cursor
        .rest()
        .is_empty()
        .then_some(EventData::Tagged { tag, data })
}

/// GRUB puts what it is about before the text, and does not measure that.
///
/// Source: GRUB, grub-core/commands/efi/tpm.c and grub-core/lib/cmdline.c.
fn ipl(data: &[u8]) -> Option<EventData<'_>> {
    let strip = |prefix: &[u8]| data.strip_prefix(prefix).and_then(Ascii::printable);
    strip(b"grub_cmd: ")
        .map(EventData::GrubCommand)
        .or_else(|| strip(b"kernel_cmdline: ").map(EventData::KernelCommandLine))
        .or_else(|| text(data))
}

fn fw_cfg(data: &[u8]) -> Option<EventData<'_>> {
    data.strip_prefix(FW_CFG)
        .and_then(Ascii::printable)
        .map(EventData::FwCfg)
}

impl fmt::Display for EventData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpecId(spec_id) => fmt::Display::fmt(spec_id, f),
            Self::StartupLocality(locality) => write!(f, "startup locality {locality}"),
            Self::Separator(0 | u32::MAX) => f.write_str("separator"),
            Self::Separator(1) => f.write_str("separator: an error happened"),
            Self::Separator(value) => write!(f, "separator {value:#x}"),
            Self::Text(text) => fmt::Display::fmt(text, f),
            Self::TextUcs2(text) => fmt::Display::fmt(text, f),
            Self::GrubCommand(command) => write!(f, "GRUB command {command}"),
            Self::KernelCommandLine(line) => write!(f, "kernel command line {line}"),
            Self::FwCfg(file) => write!(f, "fw_cfg file {file}"),
            Self::Variable(variable) => fmt::Display::fmt(variable, f),
            Self::HandoffTables(tables) => fmt::Display::fmt(tables, f),
            Self::FirmwareBlob(blob) => fmt::Display::fmt(blob, f),
            Self::ImageLoad(image) => fmt::Display::fmt(image, f),
            Self::Gpt(gpt) => fmt::Display::fmt(gpt, f),
            Self::Tagged { tag, data } => {
                match *tag {
                    LOAD_OPTIONS_TAG => f.write_str("load options")?,
                    INITRD_TAG => f.write_str("initrd")?,
                    tag => write!(f, "tag {tag:#x}")?,
                }
                match text(data) {
                    Some(EventData::Text(text)) => write!(f, ": {text}"),
                    _ => write!(f, ": {}", Bytes(data)),
                }
            }
            Self::Unknown(data) => fmt::Display::fmt(&Bytes(data), f),
        }
    }
}

/// Bytes that are not understood: how many, and the first ones.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        let dots = if self.0.len() > SHOWN { "…" } else { "" };
        match self.0.len() {
            0 => f.write_str("no data"),
            len => write!(f, "{len} bytes {}{dots}", Hex(shown)),
        }
    }
}
