// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A changed byte changes the register that it is measured into, and no other, and the comparison of the log with what was
//! expected of the unchanged boot names the event.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context as _, Result};
use tdx_firmware::expect::{Difference, What};
use tdx_firmware::tdvf::{SectionType, Tdvf};

use super::evidence::{script, Evidence};
use super::expectation::Expectation;
use super::{evidence, guest, Context, Verdict};
use crate::vm::cli::BootChoice;
use crate::vm::{Guest, Start};

/// How the registers are called, in the order of [`Evidence::registers`].
const NAMES: [&str; 5] = ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"];

/// What is changed, which register tells of it, what the event measures that does, and what changes it in a guest. Files go
/// into the folder.
type Change = (
    &'static str,
    &'static str,
    Option<What<'static>>,
    fn(&mut Guest, &Path) -> Result<()>,
);

const CHANGES: [Change; 5] = [
    ("firmware", "MRTD", None, |guest, folder| {
        change_image(guest, folder, |image| {
            let firmware = Tdvf::parse(image)?;
            let code = firmware.find(SectionType::Bfv).context("no code")?;
            // The first bytes of a volume are of no use to anyone (PI specification, volume 3, "EFI_FIRMWARE_VOLUME_HEADER").
            Ok(code.data_offset as usize)
        })
    }),
    ("variables", "RTMR0", Some(What::Cfv), |guest, folder| {
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
    (
        "kernel",
        "RTMR1",
        Some(What::Image("kernel")),
        |guest, folder| {
            let mut kernel = fs::read(&guest.vmlinuz)?;
            // The last byte of the header's page, behind the setup header and its parameters.
            let byte = kernel.get_mut(0x3ff).context("the kernel is too small")?;
            *byte ^= 1;
            guest.vmlinuz = write(folder, "vmlinuz", &kernel)?;
            Ok(())
        },
    ),
    (
        "command line",
        "RTMR2",
        Some(What::LoadOptions),
        |guest, _| {
            guest.append.push("changed".into());
            Ok(())
        },
    ),
    (
        "initial file system",
        "RTMR2",
        Some(What::Initrd),
        |guest, folder| {
            guest.files.push(write(folder, "changed", b"changed")?);
            Ok(())
        },
    ),
];

/// Makes each change by itself.
pub(super) fn changes(context: &Context<'_>) -> Result<Verdict> {
    let unchanged = guest(context, "boot-changes: none", BootChoice::Tdvf)?;
    let before = evidence(context, &unchanged)?;
    let expected = Expectation::new(&unchanged, &["sh", "-c", &script()], &before)?;
    expected.check(&before)?;
    for (what, register, event, change) in CHANGES {
        let folder = tempfile::tempdir()?;
        let mut guest = unchanged.clone();
        guest.name = format!("boot-changes: {what}");
        change(&mut guest, folder.path())?;
        let after = evidence(context, &guest)?;
        after.check(&super::image(&guest)?)?;
        compare(&before, &after, register)
            .and_then(|()| explain(&expected, &after, event))
            .with_context(|| format!("{what} was changed"))?;
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

/// Checks that the log differs from what was expected in this event, and in no other. MRTD has none.
fn explain(expected: &Expectation, after: &Evidence, event: Option<What<'static>>) -> Result<()> {
    let mut lines = Vec::new();
    let mut changed = Vec::new();
    expected.compare(after, |difference| {
        lines.push(difference.to_string());
        changed.push(match difference {
            Difference::Changed { expected, .. } => Some(expected.what.to_string()),
            Difference::Missing(_) | Difference::Unexpected(_) => None,
        });
    })?;
    let wanted: Vec<_> = event.iter().map(|what| Some(what.to_string())).collect();
    ensure!(
        changed == wanted,
        "the log should differ in {wanted:?}, and does so in:\n{}",
        lines.join("\n")
    );
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
