// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The files that a boot is made of.

use super::boot::Files;
use crate::input;
use anyhow::{ensure, Context as _, Result};
use clap::Args;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tdx_firmware::expect::{PartitionTable, SecureBootSupport};
use tdx_firmware::hob::qemu::{q35_ram, write_td_hob};
use tdx_firmware::tdvf::Tdvf;

/// The files that a boot is made of.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Options {
    /// The firmware image (TDVF), with its variables
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    firmware: PathBuf,

    /// Which edk2 the firmware is, as the date of its stable version; it says what is measured in RTMR0
    #[arg(
        long,
        value_name = "YYYYMM",
        default_value_t = 202_505,
        help_heading = "Machine"
    )]
    edk2: u32,

    /// The firmware was built without Secure Boot (SECURE_BOOT_ENABLE), which is edk2's default; its image does not show that
    #[arg(long, help_heading = "Machine")]
    without_secure_boot: bool,

    /// How much memory QEMU gives to the TD, such as 512M or 2G
    #[arg(long, value_name = "SIZE", value_parser = memory, help_heading = "Machine")]
    memory: Option<u64>,

    /// The TD HOB, if it is another than QEMU makes for --memory
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "memory",
        help_heading = "Machine"
    )]
    td_hob: Option<PathBuf>,

    /// QEMU's fw_cfg files, as /sys/firmware/qemu_fw_cfg/by_name has them: ACPI tables, which tell of the number of
    /// processors, and the order of devices. They are those of the machine, so take them from one that you trust
    #[arg(long, value_name = "FOLDER", help_heading = "Machine")]
    fw_cfg: Option<PathBuf>,

    /// The SMBIOS tables, as /sys/firmware/dmi/tables/DMI has them
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    smbios: Option<PathBuf>,

    /// Variables, as /sys/firmware/efi/efivars has them: BootOrder and what it names
    #[arg(long, value_name = "FOLDER", help_heading = "Machine")]
    variables: Option<PathBuf>,

    /// The kernel, as QEMU hands it over, or as GRUB loads it
    #[arg(long, value_name = "FILE", help_heading = "What is booted")]
    kernel: Option<PathBuf>,

    /// The kernel's command line: what QEMU has for -append, or with --grub what /proc/cmdline shows
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        requires = "kernel",
        help_heading = "What is booted"
    )]
    command_line: String,

    /// The initrd
    #[arg(
        long,
        value_name = "FILE",
        requires = "kernel",
        help_heading = "What is booted"
    )]
    initrd: Option<PathBuf>,

    /// QEMU changes the kernel's header, as before 10.2 with firmware before edk2-stable202502; needs --memory
    #[arg(
        long,
        requires = "kernel",
        requires = "memory",
        conflicts_with = "grub",
        help_heading = "What is booted"
    )]
    patched_kernel: bool,

    /// The shim that the firmware starts from a disk; no keys are enrolled with it (MOK)
    #[arg(long, value_name = "FILE", requires_all = ["grub", "kernel", "disk"], help_heading = "What is booted")]
    shim: Option<PathBuf>,

    /// The GRUB that shim starts, one that measures nothing itself
    #[arg(
        long,
        value_name = "FILE",
        requires = "shim",
        help_heading = "What is booted"
    )]
    grub: Option<PathBuf>,

    /// The unified kernel image that the firmware starts from a disk, with the stub of systemd 257
    #[arg(long, value_name = "FILE", requires = "disk", conflicts_with_all = ["kernel", "shim"], required_unless_present = "kernel", help_heading = "What is booted")]
    uki: Option<PathBuf>,

    /// The disk, or its first 34 blocks, for its partition table
    #[arg(long, value_name = "FILE", help_heading = "What is booted")]
    disk: Option<PathBuf>,
}

/// A TD HOB has one page in general.
const TD_HOB: usize = 0x1_0000;

impl Options {
    pub(super) fn read(&self) -> Result<Files> {
        let firmware = input::read(&self.firmware)?;
        let tdvf = Tdvf::parse(&firmware).with_context(|| self.firmware.display().to_string())?;
        let td_hob = match (self.memory, &self.td_hob) {
            (Some(memory), _) => {
                let mut area = vec![0; TD_HOB];
                let length = write_td_hob(&mut area, &tdvf, &q35_ram(memory))
                    .context("making the TD HOB")?;
                area.truncate(length);
                Some(area)
            }
            (None, Some(path)) => Some(input::read(path)?),
            (None, None) => None,
        };
        let read = |path: &Option<PathBuf>| path.as_deref().map(input::read).transpose();
        let booted = |path: &Option<PathBuf>| path.as_deref().map(input::read_booted).transpose();
        let disk = self.disk.as_deref().map(front).transpose()?;
        if let (Some(disk), Some(path)) = (&disk, &self.disk) {
            ensure!(
                PartitionTable::of_disk(disk).is_some(),
                "{} has no partition table (GPT) with blocks of 512 bytes",
                path.display()
            );
        }
        Ok(Files {
            edk2: self.edk2,
            secure_boot: match self.without_secure_boot {
                true => SecureBootSupport::Absent,
                false => SecureBootSupport::BuiltIn,
            },
            memory: self.memory,
            td_hob,
            fw_cfg: self.fw_cfg.as_deref().map(fw_cfg).transpose()?,
            smbios: read(&self.smbios)?,
            variables: self.variables.as_deref().map(variables).transpose()?,
            kernel: booted(&self.kernel)?,
            command_line: self.command_line.clone(),
            initrd: booted(&self.initrd)?,
            patched_kernel: self.patched_kernel,
            shim: booted(&self.shim)?,
            grub: booted(&self.grub)?,
            uki: booted(&self.uki)?,
            disk,
            firmware,
        })
    }
}

fn memory(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|one: char| !one.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "M" => 20,
        "G" => 30,
        _ => return Err("expected a number and M or G".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a number and M or G")?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "that is too much".into())
}

/// The front of a disk, with the partition table.
fn front(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    file.take(PartitionTable::USUAL_SIZE as u64)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

/// The fw_cfg files that are measured, by name.
fn fw_cfg(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let raw = |name: &str| folder.join(name).join("raw");
    let table_loader = raw("etc/table-loader");
    let mut files = vec![("etc/table-loader".to_owned(), input::read(&table_loader)?)];
    let acpi = folder.join("etc/acpi");
    for entry in fs::read_dir(&acpi).with_context(|| format!("reading {}", acpi.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let name = format!("etc/acpi/{name}");
        let contents = input::read(&raw(&name))?;
        files.push((name, contents));
    }
    for (name, _) in tdx_firmware::expect::MEASURED_FW_CFG {
        let path = raw(name);
        if path.exists() {
            files.push((name.to_owned(), input::read(&path)?));
        }
    }
    Ok(files)
}

/// BootOrder and the options that it names, by name, in its order.
fn variables(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    /// Linux shows a variable's attributes in front of its data.
    const ATTRIBUTES: usize = 4;
    const GUID: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let variable = |name: String| {
        let path = folder.join(format!("{name}-{GUID}"));
        let mut contents = input::read(&path)?;
        ensure!(
            contents.len() >= ATTRIBUTES,
            "{} is too short for a variable with its attributes",
            path.display()
        );
        Ok((name, contents.split_off(ATTRIBUTES)))
    };
    let order = variable("BootOrder".into())?;
    let numbers: Vec<_> = order
        .1
        .chunks_exact(2)
        .map(|number| format!("Boot{:02X}{:02X}", number[1], number[0]))
        .collect();
    let mut variables = vec![order];
    for name in numbers {
        variables.push(variable(name)?);
    }
    Ok(variables)
}
