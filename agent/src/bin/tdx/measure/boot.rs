// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The description of a boot, from its files.

use anyhow::{Context as _, Result};
use tdx_firmware::expect::{
    smbios_digest, AcpiBlobs, Authority, Blob, Boot, BootSeparator, BootVariable, DirectBoot,
    FwCfg, FwCfgFile, KernelHeader, PartitionTable, Payload, SecureBootSupport, ShimBoot, Smbios,
    StubInitrd, UnifiedBoot, VariableStore,
};
use tdx_firmware::hob::qemu::q35_ram;
use tdx_firmware::hob::TdHob;
use tdx_firmware::pe::PeImage;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::Sha2;

/// What is in the files that a boot is made of.
pub(super) struct Files {
    pub(super) firmware: Vec<u8>,
    pub(super) edk2: u32,
    pub(super) secure_boot: SecureBootSupport,
    pub(super) memory: Option<u64>,
    pub(super) td_hob: Option<Vec<u8>>,
    pub(super) fw_cfg: Option<Vec<(String, Vec<u8>)>>,
    pub(super) smbios: Option<Vec<u8>>,
    pub(super) variables: Option<Vec<(String, Vec<u8>)>>,
    pub(super) kernel: Option<Vec<u8>>,
    pub(super) command_line: String,
    pub(super) initrd: Option<Vec<u8>>,
    pub(super) patched_kernel: bool,
    pub(super) shim: Option<Vec<u8>>,
    pub(super) grub: Option<Vec<u8>>,
    pub(super) uki: Option<Vec<u8>>,
    pub(super) disk: Option<Vec<u8>>,
}

/// The stable versions of edk2 from which on the second separator is in RTMR1, and from which on SMBIOS and fw_cfg are
/// measured.
const SEPARATOR_IN_RTMR1: u32 = 202_411;
const MEASURES_MACHINE: u32 = 202_505;

impl Files {
    /// Does something with the description of the boot.
    pub(super) fn with<T>(&self, then: impl FnOnce(&Boot<'_>) -> Result<T>) -> Result<T> {
        let files = self.fw_cfg.as_deref().unwrap_or_default();
        let blobs: Vec<_> = files
            .iter()
            .map(|(name, contents)| Blob { name, contents })
            .collect();
        let mut fw_cfg: Vec<_> = files
            .iter()
            .map(|(name, contents)| FwCfgFile { name, contents })
            .collect();
        // An item without a file; QEMU has it always, and it is 0 without -boot menu=on.
        fw_cfg.push(FwCfgFile {
            name: "BootMenu",
            contents: &[0, 0],
        });
        let table_loader = files.iter().find(|(name, _)| name == "etc/table-loader");
        let variables: Option<Vec<_>> = self.variables.as_ref().map(|variables| {
            variables
                .iter()
                .map(|(name, data)| BootVariable { name, data })
                .collect()
        });
        let measures_machine = self.edk2 >= MEASURES_MACHINE;
        let smbios = match &self.smbios {
            _ if !measures_machine => Smbios::NotMeasured,
            None => Smbios::Unknown,
            Some(table) => Smbios::Digest(
                smbios_digest(&Sha2, table).context("the SMBIOS tables are cut off")?,
            ),
        };
        let firmware = Tdvf::parse(&self.firmware)?;
        let authority = self.kernel_authority(&firmware)?;
        then(&Boot {
            firmware,
            td_hob: self.td_hob.as_deref().map(TdHob::parse).transpose()?,
            fw_cfg: match &self.fw_cfg {
                _ if !measures_machine => FwCfg::NotMeasured,
                None => FwCfg::Unknown,
                Some(_) => FwCfg::Files(&fw_cfg),
            },
            acpi: table_loader.map(|(_, table_loader)| AcpiBlobs {
                table_loader,
                files: &blobs,
            }),
            smbios,
            boot_variables: variables.as_deref(),
            secure_boot: self.secure_boot,
            boot_separator: match self.edk2 >= SEPARATOR_IN_RTMR1 {
                true => BootSeparator::Rtmr1,
                false => BootSeparator::Rtmr0,
            },
            payload: self.payload(authority.as_slice()),
            exits_boot_services: true,
        })
    }

    /// What lets the kernel pass, where the firmware checks it itself.
    fn kernel_authority<'a>(&self, firmware: &Tdvf<'a>) -> Result<Option<Authority<'a>>> {
        let (Some(kernel), None, Some(cfv)) = (&self.kernel, &self.shim, firmware.cfv()) else {
            return Ok(None);
        };
        let store = VariableStore::parse(cfv.data)?;
        if self.secure_boot == SecureBootSupport::Absent || !store.secure_boot() {
            return Ok(None);
        }
        let image = PeImage::parse(kernel).context("the kernel")?;
        Ok(Authority::of_image(&store, &image))
    }

    fn payload<'a>(&'a self, authorities: &'a [Authority<'a>]) -> Payload<'a> {
        let partitions = self.disk.as_deref().and_then(PartitionTable::of_disk);
        if let Some(image) = &self.uki {
            return Payload::Unified(UnifiedBoot {
                partitions,
                image,
                initrd: StubInitrd::Systemd257,
            });
        }
        let kernel = self.kernel.as_deref().unwrap_or_default();
        let (command_line, initrd) = (&*self.command_line, self.initrd.as_deref());
        if let (Some(shim), Some(grub)) = (&self.shim, &self.grub) {
            return Payload::Shim(ShimBoot {
                partitions,
                shim,
                grub,
                commands: &[],
                kernel,
                command_line,
                initrd,
            });
        }
        let header = match self.memory.filter(|_| self.patched_kernel) {
            Some(memory) => KernelHeader::Patched {
                low_ram: q35_ram(memory)[0].end,
            },
            None => KernelHeader::AsFile,
        };
        Payload::Direct(DirectBoot {
            kernel,
            header,
            command_line,
            initrd,
            authorities,
        })
    }
}
