// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A changed byte changes the register that it is measured into, and no other.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context as _, Result};
use tdx_firmware::tdvf::{SectionType, Tdvf};

use super::evidence::Evidence;
use super::{evidence, guest, Context, Verdict};
use crate::vm::cli::BootChoice;
use crate::vm::{Guest, Start};

/// How the registers are called, in the order of [`Evidence::registers`].
const NAMES: [&str; 5] = ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"];

/// What is changed, which register tells of it, and what changes it in a guest. Files go into the folder.
type Change = (
    &'static str,
    &'static str,
    fn(&mut Guest, &Path) -> Result<()>,
);

const CHANGES: [Change; 5] = [
    ("firmware", "MRTD", |guest, folder| {
        change_image(guest, folder, |image| {
            let firmware = Tdvf::parse(image)?;
            let code = firmware.find(SectionType::Bfv).context("no code")?;
            // The first bytes of a volume are of no use to anyone (PI specification, volume 3, "EFI_FIRMWARE_VOLUME_HEADER").
            Ok(code.data_offset as usize)
        })
    }),
    ("variables", "RTMR0", |guest, folder| {
        change_image(guest, folder, |image| {
            let firmware = Tdvf::parse(image)?;
            let volume = firmware.find(SectionType::Cfv).context("no variables")?;
            // The end of the store, behind the last variable.
            let used = volume
                .data
                .iter()
                .take(0x4_0000)
                .rposition(|byte| *byte != 0xff);
            Ok(volume.data_offset as usize + used.context("no variable")? + 0x100)
        })
    }),
    ("kernel", "RTMR1", |guest, folder| {
        let mut kernel = fs::read(&guest.vmlinuz)?;
        // The last byte of the header's page, behind the setup header and its parameters.
        let byte = kernel.get_mut(0x3ff).context("the kernel is too small")?;
        *byte ^= 1;
        guest.vmlinuz = write(folder, "vmlinuz", &kernel)?;
        Ok(())
    }),
    ("command line", "RTMR2", |guest, _| {
        guest.append.push("changed".into());
        Ok(())
    }),
    ("initial file system", "RTMR2", |guest, folder| {
        guest.files.push(write(folder, "changed", b"changed")?);
        Ok(())
    }),
];

/// Makes each change by itself.
pub(super) fn changes(context: &Context<'_>) -> Result<Verdict> {
    let unchanged = guest(context, "boot-changes: none", BootChoice::Tdvf)?;
    let before = evidence(context, &unchanged)?;
    for (what, register, change) in CHANGES {
        let folder = tempfile::tempdir()?;
        let mut guest = unchanged.clone();
        guest.name = format!("boot-changes: {what}");
        change(&mut guest, folder.path())?;
        let after = evidence(context, &guest)?;
        after.check(&super::image(&guest)?)?;
        compare(&before, &after, register).with_context(|| format!("{what} was changed"))?;
    }
    Ok(Verdict::Passed(format!("{} changes", CHANGES.len())))
}

/// Checks that this register differs, and no other.
fn compare(before: &Evidence, after: &Evidence, register: &str) -> Result<()> {
    let (before, after) = (before.registers()?, after.registers()?);
    for (name, (before, after)) in NAMES.iter().zip(before.iter().zip(&after)) {
        ensure!(
            (before != after) == (*name == register),
            "{name} was {before} and is {after}; {register} should have changed, and no other"
        );
    }
    Ok(())
}

/// Has a guest boot a copy of its firmware in which a bit of one byte is another.
fn change_image(
    guest: &mut Guest,
    folder: &Path,
    place: impl FnOnce(&[u8]) -> Result<usize>,
) -> Result<()> {
    let mut image = super::image(guest)?;
    let place = place(&image)?;
    let byte = image.get_mut(place).context("the image is too small")?;
    *byte ^= 1;
    guest.start = Start::Firmware(write(folder, "tdvf.fd", &image)?);
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}
