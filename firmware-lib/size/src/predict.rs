// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a boot will measure.

use core::hint::black_box;

use tdx_firmware::expect::{
    AcpiBlobs, Boot, BootSeparator, DirectBoot, FwCfg, KernelHeader, PartitionTable, Payload,
    SecureBootSupport, ShimBoot, Smbios, StubInitrd, UnifiedBoot,
};
use tdx_firmware::hob::TdHob;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::Sha2;

/// The values of a boot of any of the three kinds.
pub(crate) fn run(area: &[u8]) {
    let Ok(firmware) = Tdvf::parse(area) else {
        return;
    };
    let partitions = PartitionTable::of_disk(area);
    let payload = match black_box(area.len()) {
        1 => Payload::Shim(ShimBoot {
            partitions,
            shim: area,
            grub: area,
            commands: &[],
            kernel: area,
            command_line: "",
            initrd: Some(area),
        }),
        2 => Payload::Unified(UnifiedBoot {
            partitions,
            image: area,
            initrd: StubInitrd::Systemd257,
        }),
        _ => Payload::Direct(DirectBoot {
            kernel: area,
            header: black_box(KernelHeader::AsFile),
            command_line: "",
            initrd: Some(area),
            authorities: &[],
        }),
    };
    let boot = Boot {
        firmware,
        td_hob: TdHob::parse(area).ok(),
        fw_cfg: FwCfg::NotMeasured,
        acpi: Some(AcpiBlobs {
            table_loader: area,
            files: &[],
        }),
        smbios: black_box(Smbios::NotMeasured),
        boot_variables: None,
        secure_boot: black_box(SecureBootSupport::BuiltIn),
        boot_separator: BootSeparator::Rtmr1,
        payload,
        exits_boot_services: true,
    };
    let _ = black_box(boot.rtmrs(&Sha2));
}
