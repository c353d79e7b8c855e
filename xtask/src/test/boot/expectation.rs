// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the registers of a TD are to be that TDVF booted with the kernel that QEMU handed over.

use std::fs;

use anyhow::{ensure, Context as _, Result};
use tdx_call::RtmrIndex;
use tdx_firmware::expect::{
    smbios_digest, AcpiBlobs, Blob, Boot, BootSeparator, BootVariable, DirectBoot, FwCfgFile,
    KernelHeader, Payload, Smbios,
};
use tdx_firmware::hob::qemu::{q35_ram, write_td_hob};
use tdx_firmware::hob::TdHob;
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::Sha2;

use super::evidence::{script, Evidence, FW_CFG, SMBIOS, VARIABLES};
use crate::vm::Guest;

/// The attributes that Linux shows before a variable's data.
const ATTRIBUTES: usize = 4;

/// Checks each event of the log, and RTMR0 to RTMR2, against what follows from the guest's parts.
///
/// Firmware, TD HOB, kernel, command line and initial file system are the host's files and numbers. What QEMU makes up for
/// the machine, ACPI and SMBIOS tables, and the boot options that the firmware makes of its devices, are as the TD shows them.
pub(super) fn check(guest: &Guest, evidence: &Evidence) -> Result<()> {
    let image = super::image(guest)?;
    let firmware = Tdvf::parse(&image)?;
    let ram = q35_ram(guest.memory.0 << 20);
    let mut area = vec![0; 4096];
    let length = write_td_hob(&mut area, &firmware, &ram).context("there is no TD HOB")?;
    let hob = TdHob::parse(&area[..length])?;
    let file = |name: &str| evidence.file(&format!("{FW_CFG}/{name}/raw"));
    let fw_cfg = [
        FwCfgFile {
            name: "BootMenu",
            contents: &[0, 0],
        },
        FwCfgFile {
            name: "bootorder",
            contents: file("bootorder")?,
        },
    ];
    let blobs = [
        Blob {
            name: "etc/acpi/rsdp",
            contents: file("etc/acpi/rsdp")?,
        },
        Blob {
            name: "etc/acpi/tables",
            contents: file("etc/acpi/tables")?,
        },
    ];
    let smbios = smbios_digest(&Sha2, evidence.file(SMBIOS)?).context("SMBIOS is cut off")?;
    let variables = boot_variables(evidence)?;
    let kernel = fs::read(&guest.vmlinuz)?;
    let (line, initrd) = guest.handed_over(&["sh", "-c", &script()].map(Into::into))?;
    let boot = Boot {
        firmware,
        td_hob: Some(hob),
        fw_cfg: Some(&fw_cfg),
        acpi: Some(AcpiBlobs {
            table_loader: file("etc/table-loader")?,
            files: &blobs,
        }),
        smbios: Smbios::Digest(smbios),
        boot_variables: Some(&variables),
        boot_separator: BootSeparator::default(),
        payload: Payload::Direct(DirectBoot {
            kernel: &kernel,
            header: KernelHeader::AsFile,
            command_line: &line,
            initrd: Some(&initrd),
            authorities: &[],
        }),
        exits_boot_services: true,
    };
    let mut differences = String::new();
    boot.compare(&Sha2, &evidence.log()?, |difference| {
        differences += &format!("\n{difference}");
    })?;
    ensure!(
        differences.is_empty(),
        "the log is not as expected:{differences}"
    );
    let expected = boot.rtmrs(&Sha2)?;
    let info = evidence.td_info()?;
    for index in RtmrIndex::ALL {
        let number = index as usize;
        let expected = expected[number].with_context(|| format!("RTMR{number} is not known"))?;
        ensure!(
            info.rtmr[number] == expected,
            "RTMR{number} is {}, expected {expected}",
            info.rtmr[number]
        );
    }
    Ok(())
}

/// BootOrder, and the options that it names.
fn boot_variables(evidence: &Evidence) -> Result<Vec<BootVariable<'_>>> {
    let find = |name: &str| {
        let mut files = evidence.folder(VARIABLES);
        let found = files.find_map(|(file, content)| {
            let (found, _guid) = file.split_once('-')?;
            Some((found, content.get(ATTRIBUTES..)?)).filter(|(found, _)| *found == name)
        });
        let (name, data) = found.with_context(|| format!("the TD shows no variable {name}"))?;
        anyhow::Ok(BootVariable { name, data })
    };
    let order = find("BootOrder")?;
    let mut variables = vec![order];
    for number in order.data.chunks_exact(2) {
        variables.push(find(&format!("Boot{:02X}{:02X}", number[1], number[0]))?);
    }
    Ok(variables)
}
