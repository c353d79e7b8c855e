// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the registers of a TD are to be that TDVF booted.
//!
//! Firmware, TD HOB, boot options, disk, loaders, kernel, command line and initial file system are the host's files and
//! numbers. What QEMU makes up for the machine, ACPI and SMBIOS tables and the order of its devices, is as the TD shows it.

mod command;

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Seek as _};

use anyhow::{ensure, Context as _, Result};
use tdx_call::RtmrIndex;
use tdx_firmware::expect::{
    smbios_digest, AcpiBlobs, Blob, Boot, BootSeparator, BootVariable, Difference, DirectBoot,
    FwCfg, FwCfgFile, KernelHeader, PartitionTable, Payload, SecureBootSupport, ShimBoot, Smbios,
    StubInitrd, UnifiedBoot,
};
use tdx_firmware::hob::qemu::{q35_ram, write_td_hob};
use tdx_firmware::hob::TdHob;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::Sha2;
use tdx_uapi::Digest;

use super::evidence::{Evidence, FW_CFG, SMBIOS};
use super::options::boot_options;
use crate::vm::{Guest, Memory, Start};

/// What a boot is expected from.
pub(super) struct Expectation {
    start: Start,
    memory: Memory,
    firmware: Vec<u8>,
    td_hob: Vec<u8>,
    boot_order: Vec<u8>,
    table_loader: Vec<u8>,
    rsdp: Vec<u8>,
    tables: Vec<u8>,
    smbios: Digest,
    options: Vec<(String, Vec<u8>)>,
    /// The beginning of the disk, if there is one.
    disk: Vec<u8>,
    loaders: Vec<Vec<u8>>,
    kernel: Vec<u8>,
    line: String,
    initrd: Vec<u8>,
}

impl Expectation {
    /// What is expected of a guest that is booted to run this command, of a machine as the evidence tells.
    pub(super) fn new(guest: &Guest, command: &[&str], evidence: &Evidence) -> Result<Self> {
        let firmware = super::image(guest)?;
        let ram = q35_ram(guest.memory.0 << 20);
        let mut td_hob = vec![0; 4096];
        let length = write_td_hob(&mut td_hob, &Tdvf::parse(&firmware)?, &ram)
            .context("there is no TD HOB")?;
        td_hob.truncate(length);
        let file = |name: &str| {
            let file = evidence.file(&format!("{FW_CFG}/{name}/raw"))?;
            anyhow::Ok(file.to_vec())
        };
        let command: Vec<OsString> = command.iter().map(Into::into).collect();
        let (line, initrd) = guest.handed_over(&command)?;
        let (mut disk, mut loaders) = (Vec::new(), Vec::new());
        if !matches!(guest.start, Start::Direct | Start::Firmware(_)) {
            let mut made = guest.boot_disk(&command)?;
            made.file.rewind()?;
            let size = PartitionTable::USUAL_SIZE as u64;
            made.file.take(size).read_to_end(&mut disk)?;
            loaders = made.loaders;
        }
        Ok(Self {
            start: guest.start.clone(),
            memory: guest.memory,
            firmware,
            td_hob,
            boot_order: file("bootorder")?,
            table_loader: file("etc/table-loader")?,
            rsdp: file("etc/acpi/rsdp")?,
            tables: file("etc/acpi/tables")?,
            smbios: smbios_digest(&Sha2, evidence.file(SMBIOS)?).context("SMBIOS is cut off")?,
            options: boot_options(!disk.is_empty()),
            disk,
            loaders,
            kernel: fs::read(&guest.vmlinuz)?,
            line,
            initrd,
        })
    }

    /// Checks each event of the log, and RTMR0 to RTMR2, against this.
    pub(super) fn check(&self, evidence: &Evidence) -> Result<()> {
        let mut differences = Vec::new();
        self.compare(evidence, |difference| {
            differences.push(difference.to_string());
        })?;
        ensure!(
            differences.is_empty(),
            "the log is not as expected:\n{}",
            differences.join("\n")
        );
        let expected = self.with(|boot| Ok(boot.rtmrs(&Sha2)?))?;
        let info = evidence.td_info()?;
        for index in RtmrIndex::ALL {
            let number = index as usize;
            let expected =
                expected[number].with_context(|| format!("RTMR{number} is not known"))?;
            ensure!(
                info.rtmr[number] == expected,
                "RTMR{number} is {}, expected {expected}",
                info.rtmr[number]
            );
        }
        Ok(())
    }

    /// Tells where the log differs from this.
    pub(super) fn compare(
        &self,
        evidence: &Evidence,
        tell: impl FnMut(Difference<'_, '_>),
    ) -> Result<()> {
        let log = evidence.log()?;
        self.with(|boot| Ok(boot.compare(&Sha2, &log, tell).map(drop)?))
    }

    /// The kernel's command line.
    fn command_line(&self) -> String {
        match self.start {
            // What GRUB puts in front of the words of its configuration.
            Start::Grub(..) => format!("BOOT_IMAGE=/vmlinuz {}", self.line),
            _ => self.line.clone(),
        }
    }

    /// Does something with the description of the boot.
    fn with<T>(&self, then: impl FnOnce(&Boot<'_>) -> Result<T>) -> Result<T> {
        let fw_cfg = [
            FwCfgFile {
                name: "BootMenu",
                contents: &[0, 0],
            },
            FwCfgFile {
                name: "bootorder",
                contents: &self.boot_order,
            },
        ];
        let blobs = [
            Blob {
                name: "etc/acpi/rsdp",
                contents: &self.rsdp,
            },
            Blob {
                name: "etc/acpi/tables",
                contents: &self.tables,
            },
        ];
        let variables: Vec<_> = self
            .options
            .iter()
            .map(|(name, data)| BootVariable { name, data })
            .collect();
        let command_line = &self.command_line();
        let partitions = PartitionTable::of_disk(&self.disk);
        let payload = match (&self.start, &self.loaders[..]) {
            (Start::Grub(..), [shim, grub]) => Payload::Shim(ShimBoot {
                partitions,
                shim,
                grub,
                commands: &[],
                kernel: &self.kernel,
                command_line,
                initrd: Some(&self.initrd),
            }),
            (Start::UnifiedImage(..), [image]) => Payload::Unified(UnifiedBoot {
                partitions,
                image,
                initrd: StubInitrd::Systemd257,
            }),
            _ => Payload::Direct(DirectBoot {
                kernel: &self.kernel,
                header: KernelHeader::AsFile,
                command_line,
                initrd: Some(&self.initrd),
                authorities: &[],
            }),
        };
        then(&Boot {
            firmware: Tdvf::parse(&self.firmware)?,
            td_hob: Some(TdHob::parse(&self.td_hob)?),
            fw_cfg: FwCfg::Files(&fw_cfg),
            acpi: Some(AcpiBlobs {
                table_loader: &self.table_loader,
                files: &blobs,
            }),
            smbios: Smbios::Digest(self.smbios),
            boot_variables: Some(&variables),
            secure_boot: SecureBootSupport::default(),
            boot_separator: BootSeparator::default(),
            payload,
            exits_boot_services: true,
        })
    }
}
