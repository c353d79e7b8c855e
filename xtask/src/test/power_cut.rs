// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TDs whose power is cut while a program extends a register: what they recorded on a disk is there for the next one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{bail, ensure, Context as _, Result};
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use fatfs::FormatVolumeOptions;
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::EventLog;
use tdx_firmware::{EventType, Rtmrs, Sha2};

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::vm::{Guest, Stdin, Streams, What};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "power-cut",
    about: "what `tdx extend` said it recorded on a disk is there after a power cut, and is not taken for the next boot's",
    tier: Tier::All,
    run: power_cut,
}];

/// After how many extensions the power is cut, each time.
const CUTS: [usize; 3] = [1, 9, 20];

/// The size of the disk in bytes.
const DISK: u64 = 16 << 20;

/// Where a TD has its log.
const LOG: &str = "/mnt/runtime.log";

/// A file system on which nothing is for sure until it is synchronised, and which needs no repair.
const MOUNT: &str = "PATH=$PWD:$PATH
    modprobe -a virtio_blk vfat || exit 9
    until [ -b /dev/vda ]; do usleep 10000; done
    mount -t vfat /dev/vda /mnt || exit 9";

/// Takes what a TD says until it has said enough.
struct Plug {
    said: Vec<u8>,
    lines: usize,
}

impl Write for Plug {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said.extend_from_slice(bytes);
        if self.values().count() >= self.lines {
            // QEMU is killed for that.
            return Err(io::Error::other("the power is cut"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Plug {
    /// The values of RTMR3 that the TD has told, in lines that are whole.
    fn values(&self) -> impl Iterator<Item = &str> {
        let end = self.said.iter().rposition(|byte| *byte == b'\n');
        let whole = &self.said[..end.unwrap_or(0)];
        let lines = std::str::from_utf8(whole).unwrap_or_default().lines();
        lines.filter_map(|line| line.strip_prefix("RTMR3 "))
    }
}

fn power_cut(context: &Context<'_>) -> Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("disk");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&disk)?;
    file.set_len(DISK)?;
    fatfs::format_volume(file, FormatVolumeOptions::new())?;
    let mut told = Vec::new();
    for lines in CUTS {
        let name = format!("power-cut after {lines}");
        let guest = guest(context, &name, &disk)?;
        told.push((lines, cut(context, &guest, lines)?));
    }
    let last = guest(context, "power-cut, afterwards", &disk)?;
    let script = format!(
        "{MOUNT}
        tdx replay --runtime-log {LOG} || exit 2
        tdx eventlog --runtime-log {LOG} >/dev/null || exit 3
        tdx extend --runtime-log {LOG} afterwards || exit 4
        tdx replay --runtime-log {LOG} || exit 5
        for file in {LOG}.*; do
            echo; echo $file $(base64 -w 0 $file)
        done"
    );
    let said = String::from_utf8(context.succeed(&last, &["sh", "-c", &script])?)?;
    for words in [
        "runtime-log   /mnt/runtime.log is the log of boot ",
        "/mnt/runtime.log was the log of an earlier boot, and is /mnt/runtime.log.",
        "replay-rtmr3  0 events lead to ",
        "replay-rtmr3  1 event leads to ",
    ] {
        ensure!(
            said.contains(words),
            "the TD should have said {words:?}, and said:\n{said}"
        );
    }
    let prefix = format!("{LOG}.");
    let logs = said
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix)?.split_once(' '));
    let logs: Vec<_> = logs.collect();
    ensure!(
        logs.len() == CUTS.len(),
        "{} logs are kept, expected {}",
        logs.len(),
        CUTS.len()
    );
    let mut seen = Vec::new();
    for (life, told) in &told {
        let mut found = None;
        for (_, log) in &logs {
            found = found.or(events(&STANDARD.decode(log)?, *life, told)?);
        }
        let Some(events) = found else {
            bail!("the log of the TD whose power was cut after {life} extensions is lost");
        };
        seen.push(format!("{} told and {events} found", told.len()));
    }
    Ok(Verdict::Passed(format!("extensions: {}", seen.join(", "))))
}

/// A TD with that disk.
fn guest(context: &Context<'_>, name: &str, disk: &Path) -> Result<Guest> {
    let mut guest = context.guest(name, Which::Rust)?;
    guest.files.push(context.tdx()?.into());
    let disk = disk.to_str().context("a path in UTF-8")?.replace(',', ",,");
    let drive = format!("if=none,id=disk,format=raw,file={disk}");
    // What a TD demands of a virtio device.
    let device = "virtio-blk-pci,drive=disk,disable-legacy=on,iommu_platform=on";
    for argument in ["-drive", &drive, "-device", device] {
        guest.qemu_arguments.push(argument.into());
    }
    Ok(guest)
}

/// Cuts the power of a TD that extends RTMR3 as fast as it can, after it has told of so many extensions. Returns the values
/// that it told.
fn cut(context: &Context<'_>, guest: &Guest, lines: usize) -> Result<Vec<String>> {
    let step = context.progress.step(&guest.name)?;
    let script = format!(
        "{MOUNT}
        number=0
        while tdx extend --runtime-log {LOG} \"{lines}: $((number += 1))\"; do :; done"
    );
    let mut plug = Plug {
        said: Vec::new(),
        lines,
    };
    let mut complaints = Vec::new();
    let streams = Streams {
        stdin: Stdin::Null,
        stdout: &mut plug,
        stderr: &mut complaints,
    };
    let command = ["sh", "-c", &script].map(Into::into);
    match guest.run(&command, Some(context.limit), streams) {
        Err(failure) if matches!(failure.what(), Some(What::Output(_))) => step.done(),
        Err(failure) => return Err(failure.into()),
        Ok(ended) => bail!(
            "the TD ended by itself with {}: {}",
            ended.status,
            String::from_utf8_lossy(&complaints)
        ),
    }
    Ok(plug.values().map(Into::into).collect())
}

/// How many extensions a log has, if it is that of the TD whose power was cut after `life`, which told these values.
///
/// # Errors
/// When it has not all of what was told, or something else.
fn events(log: &[u8], life: usize, values: &[String]) -> Result<Option<usize>> {
    let mut registers = Rtmrs::ZERO;
    let mut count = 0;
    for event in EventLog::parse(log)?.events() {
        // The last one may be cut: it was not told of then.
        let Ok(event) = event else { break };
        let Some(digest) = event
            .digest()
            .filter(|_| event.event_type == EventType::ACTION)
        else {
            continue;
        };
        let says = String::from_utf8_lossy(event.data);
        if !says.starts_with(&format!("{life}: ")) {
            return Ok(None);
        }
        count += 1;
        ensure!(
            says == format!("{life}: {count}"),
            "event {count} of a log says {says:?}"
        );
        registers.extend(&Sha2, RtmrIndex::Rtmr3, digest);
        let value = registers[RtmrIndex::Rtmr3].to_string();
        let told = values.get(count - 1).unwrap_or(&value);
        ensure!(
            *told == value,
            "RTMR3 was {told} after {says:?}, and the log leads to {value}"
        );
    }
    ensure!(
        count >= values.len(),
        "of {} extensions that a TD told of, its log has {count}",
        values.len()
    );
    Ok(Some(count))
}
