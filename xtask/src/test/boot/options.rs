// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The boot options that a TDVF with an empty variable store makes of the devices of the project's guests.
//!
//! Source: UEFI specification, "EFI_LOAD_OPTION" and "Device Path Protocol"; edk2's BootManagerMenuApp, and
//! `EfiBootManagerRefreshAllBootOption`.

use tdx_firmware::Guid;

use crate::vm::DISK_SLOT;

/// The firmware volume with all drivers, the menu in it, and what marks options that the firmware made.
const VOLUME: Guid = Guid::new(0x7cb8bdc9_f8eb_4f34_aaea_3ee4af6516a1);
const MENU: Guid = Guid::new(0xeec25bdc_67f2_4d95_b1d5_f81b2039d11d);
const AUTOMATIC: Guid = Guid::new(0x8108ac4e_9f11_4d59_850e_e21a522c59b2);

/// The attributes of an option: it is tried; it is for the menu only, which is an application.
const ACTIVE: u32 = 1;
const HIDDEN_APPLICATION: u32 = 0x108;

/// The node that ends a device path.
const END: [u8; 4] = [0x7f, 0xff, 4, 0];

/// BootOrder, and the options that it names, in its order.
pub(super) fn boot_options(with_disk: bool) -> Vec<(String, Vec<u8>)> {
    let file = [&[4, 7, 20, 0][..], &VOLUME.0, &[4, 6, 20, 0], &MENU.0, &END].concat();
    let menu = option(
        ACTIVE | HIDDEN_APPLICATION,
        "BootManagerMenuApp",
        &file,
        &[],
    );
    // PciRoot(0x0)/Pci(slot, 0x0)
    let root = [2, 1, 12, 0, 0xd0, 0x41, 3, 10, 0, 0, 0, 0];
    let disk = [&root[..], &[1, 1, 6, 0, 0, DISK_SLOT], &END].concat();
    let disk = option(ACTIVE, "UEFI Misc Device", &disk, &AUTOMATIC.0);
    let mut options = vec![("Boot0000".to_owned(), menu)];
    let mut order = vec![0, 0];
    if with_disk {
        // QEMU wants it to come first.
        options.insert(0, ("Boot0001".to_owned(), disk));
        order.splice(..0, [1, 0]);
    }
    options.insert(0, ("BootOrder".to_owned(), order));
    options
}

fn option(attributes: u32, description: &str, path: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    let mut option = attributes.to_le_bytes().to_vec();
    option.extend(length.to_le_bytes());
    let text = description.encode_utf16().chain([0]);
    option.extend(text.flat_map(u16::to_le_bytes));
    option.extend(path);
    option.extend(data);
    option
}
