// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input that is what a TD boots from.

use tdx_firmware::expect::{
    AcpiBlobs, Authority, Blob, Boot, BootSeparator, BootVariable, DirectBoot, FwCfg, KernelHeader,
    PartitionTable, Payload, SecureBootSupport, ShimBoot, Smbios, StubInitrd, UnifiedBoot,
    VariableStore,
};
use tdx_firmware::pe::PeImage;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{Rtmrs, Sha2};

#[path = "../../firmware-lib/tests/common/mod.rs"]
mod images;

/// The size of the CFV of the firmware that is booted.
const CFV: usize = 0x1000;

/// Splits the front off: its length is in two bytes.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// A boot of any variables, image, disk, ACPI commands and command line: no panic, and registers that are what the events
/// lead to.
///
/// A byte says what is booted; then come CFV, image and disk, each with its length before it; the rest is the others.
pub(crate) fn boot(bytes: &[u8]) {
    let parts = bytes.split_first().and_then(|(kind, rest)| {
        let (cfv, rest) = split(rest)?;
        let (image, rest) = split(rest)?;
        let (disk, rest) = split(rest)?;
        Some((*kind, cfv.get(..CFV).unwrap_or(cfv), image, disk, rest))
    });
    let Some((kind, cfv, image, disk, rest)) = parts else {
        return;
    };
    let mut firmware = images::image(&[images::BFV, images::CFV, images::TEMP_MEM]);
    firmware[..cfv.len()].copy_from_slice(cfv);
    let line = String::from_utf8_lossy(rest);
    let authority = VariableStore::parse(cfv)
        .ok()
        .zip(PeImage::parse(image).ok())
        .and_then(|(store, image)| Authority::of_image(&store, &image));
    if let Some(authority) = &authority {
        assert!(
            authority.data.len() > 16
                && cfv
                    .windows(authority.data.len())
                    .any(|part| part == authority.data)
        );
    }
    let partitions = PartitionTable::of_disk(disk);
    assert!(partitions.is_none() || disk[512..].starts_with(b"EFI PART"));
    let payload = match kind % 3 {
        0 => Payload::Direct(DirectBoot {
            kernel: image,
            header: match kind & 0x80 {
                0 => KernelHeader::AsFile,
                _ => KernelHeader::Patched { low_ram: 2 << 30 },
            },
            command_line: &line,
            initrd: Some(rest),
            authorities: authority.as_slice(),
        }),
        1 => Payload::Shim(ShimBoot {
            partitions,
            shim: image,
            grub: image,
            commands: &[],
            kernel: image,
            command_line: &line,
            initrd: None,
        }),
        _ => Payload::Unified(UnifiedBoot {
            partitions,
            image,
            initrd: StubInitrd::Systemd257,
        }),
    };
    let files = ["etc/acpi/rsdp", "etc/acpi/tables"].map(|name| Blob {
        name,
        contents: rest,
    });
    let variables = [BootVariable {
        name: "BootOrder",
        data: rest,
    }];
    let boot = Boot {
        firmware: Tdvf::parse(&firmware).expect("an image made for tests"),
        td_hob: None,
        fw_cfg: FwCfg::NotMeasured,
        acpi: Some(AcpiBlobs {
            table_loader: match kind & 0x40 {
                0 => &[],
                _ => rest,
            },
            files: &files,
        }),
        smbios: Smbios::NotMeasured,
        boot_variables: Some(&variables),
        secure_boot: match kind & 0x10 {
            0 => SecureBootSupport::BuiltIn,
            _ => SecureBootSupport::Absent,
        },
        boot_separator: BootSeparator::Rtmr1,
        payload,
        exits_boot_services: kind & 0x20 != 0,
    };
    let mut rtmrs = Rtmrs::ZERO;
    let mut unknown = 0;
    let told = boot.events(&Sha2, |event| {
        assert!(!event.what.to_string().is_empty() && !event.event_type.to_string().is_empty());
        match &event.digest {
            Some(digest) => rtmrs.extend(&Sha2, event.rtmr, digest),
            None => unknown += 1,
        }
    });
    match told {
        Ok(()) => {
            // The TD HOB is not known, which goes into RTMR0, and nothing else.
            assert_eq!(unknown, 1);
            let [zero, one, two, three] = boot.rtmrs(&Sha2).expect("the same again");
            assert_eq!(
                (zero, [one, two, three]),
                (None, [1, 2, 3].map(|at| Some(rtmrs.0[at])))
            );
        }
        Err(error) => {
            assert!(error.to_string().starts_with("cannot predict the boot: "));
            assert_eq!(boot.rtmrs(&Sha2), Err(error));
        }
    }
}
