// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes the disk that firmware boots from, in memory: a GPT with one partition, an EFI system partition.
//!
//! The same files make the same disk, byte for byte: firmware measures its partition table.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use anyhow::{Context, Result};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::{partition_types, GptConfig};
use rustix::fs::MemfdFlags;
use uuid::Uuid;

/// The size of a sector.
const SECTOR: u64 = 512;

/// Where the partition begins, in bytes.
const PARTITION: u64 = 1 << 20;

/// What the second copy of the partition table takes, and more.
const END: u64 = 1 << 20;

/// What the file system's own tables and the rest of clusters take at most, beside a hundredth of its files.
const OVERHEAD: u64 = 8 << 20;

/// How the disk and its partition are called: any would do, if only it stays.
const DISK: Uuid = Uuid::from_u128(0x7d5f_6f5e_3a52_4f0a_9c55_7464_7800_0001);
const ESP: Uuid = Uuid::from_u128(0x7d5f_6f5e_3a52_4f0a_9c55_7464_7800_0002);

/// A file for the partition.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its path, with `/` between folders.
    pub(super) path: &'a str,
    /// Where it is read from; from its beginning.
    pub(super) content: &'a mut File,
}

/// Makes the disk.
pub(super) fn make(entries: &mut [Entry<'_>]) -> Result<File> {
    let mut size = OVERHEAD;
    for entry in entries.iter() {
        size += entry.content.metadata()?.len() * 101 / 100;
    }
    let size = size.next_multiple_of(1 << 20);
    let partition = partition(entries, size).context("cannot make the disk's file system")?;
    let mut disk = memory("disk", PARTITION + size + END)?;
    table(&mut disk, size).context("cannot make the disk's partition table")?;
    disk.seek(SeekFrom::Start(PARTITION))?;
    copy(&partition, &mut disk)?;
    Ok(disk)
}

/// The file system of the partition, by itself.
fn partition(entries: &mut [Entry<'_>], size: u64) -> Result<File> {
    let mut volume = memory("esp", size)?;
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(SECTOR as u32);
    fatfs::format_volume(&mut volume, options)?;
    let system = FileSystem::new(&mut volume, FsOptions::new())?;
    for entry in entries {
        let mut folder = system.root_dir();
        let (folders, name) = entry.path.rsplit_once('/').unwrap_or(("", entry.path));
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            folder = folder.create_dir(name)?;
        }
        let mut file = folder.create_file(name)?;
        copy(entry.content, &mut file)?;
        file.flush()?;
    }
    system.unmount()?;
    Ok(volume)
}

/// Writes the partition table of a disk with one partition of that size.
fn table(disk: &mut File, size: u64) -> Result<()> {
    let sectors = (PARTITION + size + END) / SECTOR;
    let protective = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(protective).overwrite_lba0(disk)?;
    let mut table = GptConfig::new()
        .writable(true)
        .create_from_device(disk, Some(DISK))?;
    let first = PARTITION / SECTOR;
    let esp = Partition {
        part_type_guid: partition_types::EFI,
        part_guid: ESP,
        first_lba: first,
        last_lba: first + size / SECTOR - 1,
        flags: 0,
        name: "esp".into(),
    };
    table.update_partitions(BTreeMap::from([(1, esp)]))?;
    table.write()?;
    Ok(())
}

/// A file in memory.
fn memory(name: &str, size: u64) -> Result<File> {
    let file =
        File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC).context("memfd_create")?);
    file.set_len(size)?;
    Ok(file)
}

/// Copies a file from its beginning.
fn copy(mut from: &File, to: &mut impl Write) -> io::Result<()> {
    from.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = io::Read::read(&mut from, &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use super::{make, Entry};
    use std::io::{Read, Seek, SeekFrom, Write};

    fn disk(content: &[u8]) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let mut entries = [Entry {
            path: "EFI/BOOT/BOOTX64.EFI",
            content: &mut file,
        }];
        let mut disk = make(&mut entries).unwrap();
        let mut bytes = Vec::new();
        disk.seek(SeekFrom::Start(0)).unwrap();
        disk.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_make_the_same_disk() {
        assert!(disk(b"loader") == disk(b"loader"));
        assert!(disk(b"loader") != disk(b"Loader"));
    }

    #[test]
    fn a_disk_has_its_table_and_its_files() {
        let disk = disk(b"a loader!");
        assert_eq!(disk[512..520], *b"EFI PART");
        assert!(disk.windows(9).any(|part| part == b"a loader!"));
        assert!(disk.windows(11).any(|part| part == b"BOOTX64 EFI"));
    }
}
