// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What an event says that was measured.

use core::fmt;

/// The type of an event. Unknown ones are kept.
///
/// Source: *TCG PC Client Platform Firmware Profile Specification*, "Event Types".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(pub u32);

/// The constants and their names, from one list.
macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl EventType {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The specification's name.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    /// Reserved.
    PREBOOT_CERT = 0x0, "EV_PREBOOT_CERT";
    /// Power-on self test code.
    POST_CODE = 0x1, "EV_POST_CODE";
    /// Four bytes that separate the events before an operating system's loader from those of it, or tell of an error.
    SEPARATOR = 0x4, "EV_SEPARATOR";
    /// Never extended: about the log itself.
    NO_ACTION = 0x3, "EV_NO_ACTION";
    /// A string.
    ACTION = 0x5, "EV_ACTION";
    /// Data of which a tag says what it is: load options, initrd.
    EVENT_TAG = 0x6, "EV_EVENT_TAG";
    /// The core root of trust's contents.
    S_CRTM_CONTENTS = 0x7, "EV_S_CRTM_CONTENTS";
    /// The core root of trust's version.
    S_CRTM_VERSION = 0x8, "EV_S_CRTM_VERSION";
    /// Microcode.
    CPU_MICROCODE = 0x9, "EV_CPU_MICROCODE";
    /// Configuration: ACPI data, fw_cfg items.
    PLATFORM_CONFIG_FLAGS = 0xa, "EV_PLATFORM_CONFIG_FLAGS";
    /// Tables of devices.
    TABLE_OF_DEVICES = 0xb, "EV_TABLE_OF_DEVICES";
    /// A hash of something that is not told.
    COMPACT_HASH = 0xc, "EV_COMPACT_HASH";
    /// Code or data of a boot loader.
    IPL = 0xd, "EV_IPL";
    /// Partitions of a boot loader.
    IPL_PARTITION_DATA = 0xe, "EV_IPL_PARTITION_DATA";
    /// Code that is not the host's own.
    NONHOST_CODE = 0xf, "EV_NONHOST_CODE";
    /// Configuration that is not the host's own.
    NONHOST_CONFIG = 0x10, "EV_NONHOST_CONFIG";
    /// Information that is not the host's own.
    NONHOST_INFO = 0x11, "EV_NONHOST_INFO";
    /// The boot devices that are left out.
    OMIT_BOOT_DEVICE_EVENTS = 0x12, "EV_OMIT_BOOT_DEVICE_EVENTS";
    /// What the firmware's configuration is: a secure boot variable.
    EFI_VARIABLE_DRIVER_CONFIG = 0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG";
    /// A variable that says what to boot.
    EFI_VARIABLE_BOOT = 0x8000_0002, "EV_EFI_VARIABLE_BOOT";
    /// An application that is loaded from a boot option, such as a kernel.
    EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION";
    /// A driver that boot services end.
    EFI_BOOT_SERVICES_DRIVER = 0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER";
    /// A driver that stays.
    EFI_RUNTIME_SERVICES_DRIVER = 0x8000_0005, "EV_EFI_RUNTIME_SERVICES_DRIVER";
    /// The partition table of the disk that is booted from.
    EFI_GPT_EVENT = 0x8000_0006, "EV_EFI_GPT_EVENT";
    /// A string that says what the firmware does.
    EFI_ACTION = 0x8000_0007, "EV_EFI_ACTION";
    /// A firmware volume.
    EFI_PLATFORM_FIRMWARE_BLOB = 0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB";
    /// Tables that are handed over.
    EFI_HANDOFF_TABLES = 0x8000_0009, "EV_EFI_HANDOFF_TABLES";
    /// A firmware volume, with a description: the CFV.
    EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000_000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2";
    /// Tables that are handed over, with a description: the TD HOB.
    EFI_HANDOFF_TABLES2 = 0x8000_000b, "EV_EFI_HANDOFF_TABLES2";
    /// A variable that says what to boot, of which data and name are hashed.
    EFI_VARIABLE_BOOT2 = 0x8000_000c, "EV_EFI_VARIABLE_BOOT2";
    /// The partition table, without what differs between equal disks.
    EFI_GPT_EVENT2 = 0x8000_000d, "EV_EFI_GPT_EVENT2";
    /// An event of a host-core root of trust.
    EFI_HCRTM_EVENT = 0x8000_0010, "EV_EFI_HCRTM_EVENT";
    /// The certificate or hash by which an image was let pass.
    EFI_VARIABLE_AUTHORITY = 0x8000_00e0, "EV_EFI_VARIABLE_AUTHORITY";
    /// The firmware of a device, as SPDM told it.
    EFI_SPDM_FIRMWARE_BLOB = 0x8000_00e1, "EV_EFI_SPDM_FIRMWARE_BLOB";
    /// The configuration of a device, as SPDM told it.
    EFI_SPDM_FIRMWARE_CONFIG = 0x8000_00e2, "EV_EFI_SPDM_FIRMWARE_CONFIG";
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "event type {:#x}", self.0),
        }
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
