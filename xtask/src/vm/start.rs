// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a machine comes to its kernel, and what QEMU is given for that.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};

use super::disk::{self, Entry};
use super::Guest;
use crate::artefacts::keys;
use crate::enclosure::Enclosure;
use crate::setup::Firmware;

/// Where on the machine's PCI bus the disk is: behind what every guest has.
pub(crate) const DISK_SLOT: u8 = 2;

/// How a machine comes to its kernel.
#[derive(Debug, Clone, Default)]
pub(crate) enum Start {
    /// QEMU loads it, and starts it with no firmware but its own.
    #[default]
    Direct,
    /// This firmware starts it, as QEMU hands it over.
    Firmware(PathBuf),
    /// This firmware starts shim from a disk, that GRUB, and that the kernel.
    Grub(PathBuf, Firmware),
    /// This firmware starts, from a disk, a unified kernel image: kernel, command line and initial file system in one. It is
    /// signed if there is a folder of keys.
    UnifiedImage(PathBuf, Firmware, Option<PathBuf>),
}

impl Start {
    /// The firmware, if it is not QEMU's own.
    pub(crate) fn firmware(&self) -> Option<&Path> {
        match self {
            Self::Direct => None,
            Self::Firmware(image) | Self::Grub(image, _) | Self::UnifiedImage(image, ..) => {
                Some(image)
            }
        }
    }
}

/// QEMU's arguments by which `guest` comes to its kernel with this command line and initial file system, and what QEMU
/// has to inherit for them.
pub(super) fn arguments(
    guest: &Guest,
    line: &str,
    initrd: File,
) -> Result<(Vec<OsString>, OwnedFd)> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(firmware) = guest.start.firmware() {
        arguments.extend(["-bios".into(), firmware.into()]);
    }
    let disk = match disk(guest, line, initrd)? {
        Made::NoDisk(initrd) => {
            arguments.extend(["-kernel".into(), guest.vmlinuz.clone().into()]);
            arguments.extend(["-append".into(), line.into()]);
            // QEMU opens it by its number under /proc/self/fd.
            let initrd = OwnedFd::from(initrd);
            arguments.extend(["-initrd".into(), by_number(&initrd).into()]);
            return Ok((arguments, initrd));
        }
        Made::Disk(disk) => OwnedFd::from(disk.file),
    };
    let file = by_number(&disk);
    arguments.push("-drive".into());
    arguments.push(format!("if=none,id=disk,format=raw,readonly=on,file={file}").into());
    arguments.push("-device".into());
    // What a TD demands of a virtio device, as in the other arguments.
    let device = "virtio-blk-pci,drive=disk,bootindex=0,disable-legacy=on,iommu_platform=on";
    arguments.push(format!("{device},addr={DISK_SLOT:#x}").into());
    Ok((arguments, disk))
}

/// The disk that a guest boots from, if it does from one.
#[derive(Debug)]
enum Made {
    Disk(BootDisk),
    /// QEMU hands over the kernel, and this initial file system.
    NoDisk(File),
}

fn disk(guest: &Guest, line: &str, initrd: File) -> Result<Made> {
    Ok(match &guest.start {
        Start::Direct | Start::Firmware(_) => Made::NoDisk(initrd),
        Start::Grub(_, firmware) => Made::Disk(grub_disk(guest, firmware, line, initrd)?),
        Start::UnifiedImage(_, firmware, keys) => Made::Disk(unified_disk(
            guest,
            firmware,
            keys.as_deref(),
            line,
            &initrd,
        )?),
    })
}

/// A disk to boot from, and the files on it that nothing else tells of.
#[derive(Debug)]
pub(crate) struct BootDisk {
    /// All of it.
    pub(crate) file: File,
    /// What firmware starts from it, and what that starts: shim and GRUB, or a unified kernel image.
    pub(crate) loaders: Vec<Vec<u8>>,
}

impl BootDisk {
    /// The disk of a guest with this command line and initial file system.
    ///
    /// # Errors
    /// When it cannot be made, or the guest boots from none.
    pub(super) fn of(guest: &Guest, line: &str, initrd: File) -> Result<Self> {
        match disk(guest, line, initrd)? {
            Made::Disk(disk) => Ok(disk),
            Made::NoDisk(_) => bail!("the guest boots from no disk"),
        }
    }
}

fn by_number(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A disk with shim where firmware looks for a loader, GRUB where shim does, and GRUB's configuration.
fn grub_disk(guest: &Guest, firmware: &Firmware, line: &str, mut initrd: File) -> Result<BootDisk> {
    let open = |path: PathBuf| {
        File::open(&path).with_context(|| format!("cannot open {}", path.display()))
    };
    let shim = firmware.loaders.join("usr/lib/shim/shimx64.efi.signed");
    let grub = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";
    let grub = firmware.loaders.join(grub);
    let loaders = vec![read(&shim)?, read(&grub)?];
    let (mut shim, mut grub) = (open(shim)?, open(grub)?);
    let mut kernel = open(guest.vmlinuz.clone())?;
    let mut configuration = tempfile::tempfile()?;
    write!(
        configuration,
        "linux /vmlinuz {}\ninitrd /initrd\nboot\n",
        grub_words(line)
    )?;
    let file = disk::make(&mut [
        Entry {
            path: "EFI/BOOT/BOOTX64.EFI",
            content: &mut shim,
        },
        Entry {
            path: "EFI/BOOT/grubx64.efi",
            content: &mut grub,
        },
        Entry {
            path: "EFI/debian/grub.cfg",
            content: &mut configuration,
        },
        Entry {
            path: "vmlinuz",
            content: &mut kernel,
        },
        Entry {
            path: "initrd",
            content: &mut initrd,
        },
    ])?;
    Ok(BootDisk { file, loaders })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The words of a command line, as GRUB's shell takes each of them unchanged.
fn grub_words(line: &str) -> String {
    let quote = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let words: Vec<_> = line.split_whitespace().map(quote).collect();
    words.join(" ")
}

/// A disk with a unified kernel image where firmware looks for a loader, signed with the key `db` if there are keys.
fn unified_disk(
    guest: &Guest,
    firmware: &Firmware,
    keys: Option<&Path>,
    line: &str,
    initrd: &File,
) -> Result<BootDisk> {
    // Beside the base images, on disk: the tool reads and writes files.
    let folder = tempfile::Builder::new()
        .prefix(super::image::UNFINISHED)
        .tempdir_in(&guest.cache)
        .context("cannot make a folder for a unified kernel image")?;
    let mut from = initrd;
    from.rewind()?;
    io::copy(&mut from, &mut File::create(folder.path().join("initrd"))?)?;
    fs::write(folder.path().join("cmdline"), line)?;
    let mut inside = firmware
        .with_tools(Enclosure::root(&guest.root))
        .bind(folder.path(), "/uki")
        .bind_read_only(&guest.vmlinuz, "/vmlinuz")
        .bind_read_only(&firmware.loaders, "/loaders");
    let mut signature = Vec::new();
    if let Some(keys) = keys {
        inside = inside.bind_read_only(keys, keys::IN_ROOT);
        signature.push(format!("--tools={}/bin", Firmware::USR));
        signature.push(format!("--secureboot-private-key={}/db.key", keys::IN_ROOT));
        signature.push(format!("--secureboot-certificate={}/db.crt", keys::IN_ROOT));
    }
    let output = firmware
        .tool(&inside, "ukify")?
        .args([
            "build",
            "--stub=/loaders/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
            "--linux=/vmlinuz",
            "--initrd=/uki/initrd",
            "--cmdline=@/uki/cmdline",
            "--output=/uki/uki.efi",
        ])
        .arg(format!("--uname={}", guest.release))
        .args(signature)
        .output()
        .context("cannot run ukify")?;
    ensure!(
        output.status.success(),
        "ukify failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let path = folder.path().join("uki.efi");
    let mut image = File::open(&path)?;
    let file = disk::make(&mut [Entry {
        path: "EFI/BOOT/BOOTX64.EFI",
        content: &mut image,
    }])?;
    let loaders = vec![read(&path)?];
    Ok(BootDisk { file, loaders })
}

#[cfg(test)]
mod tests {
    use super::grub_words;

    #[test]
    fn each_word_reaches_the_kernel_as_it_is() {
        assert_eq!(grub_words("a=$b it's"), r"'a=$b' 'it'\''s'");
    }
}
