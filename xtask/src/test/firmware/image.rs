// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware library as all that there is in a TD: its example image, booted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context as _, Result};
use tdx_firmware::event_log::EventLog;
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{EventType, HashEngine, Sha2};
use tdx_uapi::Digest;

use super::{Context, Verdict};
use crate::artefacts::{root_cargo, PROJECT};
use crate::vm::CPU;

const MANIFEST: &str = "firmware-lib/example-image/Cargo.toml";
const PROGRAM: &str = "tdx-firmware-example";
const FILE: &str = "example.fd";

/// What the image measures as payload, from the project's folder.
const PAYLOAD: &str = "firmware-lib/example-image/src/main.rs";

/// How many seconds a boot may take. It takes less than one.
const LIMIT: &str = "60";

/// The machines that it is booted on: vCPUs and memory.
const MACHINES: [(u32, u64); 3] = [(1, 512 << 20), (2, 2 << 30), (4, 4 << 30)];

/// Boots the image, and compares what it says with what is known of it beforehand.
pub(super) fn check(context: &Context<'_>) -> Result<Verdict> {
    let file = build(context)?;
    let image = fs::read(&file)?;
    let payload = fs::read(context.environment.paths.project().join(PAYLOAD))?;
    let tdvf = Tdvf::parse(&image)?;
    let expected_mrtd = mrtd(&Sha2, &tdvf, RecordOrder::PageByPage);
    for (vcpus, memory) in MACHINES {
        let text = boot(context, &file, vcpus, memory)?;
        let said = Said::parse(&text)
            .with_context(|| format!("with {vcpus} vCPUs and {memory} bytes it said\n{text}"))?;
        let mut area = [0; 4096];
        qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(memory))?;
        said.check(
            &expected_mrtd,
            &Sha2.digest(&[TdHob::parse(&area)?.measured()]),
            &Sha2.digest(&[&payload]),
        )
        .with_context(|| format!("with {vcpus} vCPUs and {memory} bytes it said\n{text}"))?;
    }
    Ok(Verdict::Passed(format!(
        "{} of {} bytes used; {} machines",
        image.len() - longest_zeros(&image),
        image.len(),
        MACHINES.len()
    )))
}

/// Builds the image with the root's tools, and gives its path.
fn build(context: &Context<'_>) -> Result<PathBuf> {
    let mut step = context.progress.step("example image")?;
    step.run(&mut root_cargo::fetch(context.environment, MANIFEST))?;
    let mut cargo = root_cargo::cargo(context.environment)?;
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--manifest-path",
        MANIFEST,
    ]);
    step.run(&mut cargo)?;
    let folder = context
        .environment
        .paths
        .build("root-cargo")
        .join("release");
    let mut objcopy = context
        .environment
        .enclosure()
        .bind_read_only(context.environment.paths.project(), PROJECT)
        .bind(&folder, "/built")
        .directory("/built")
        .command("objcopy");
    step.run(objcopy.args(["-O", "binary", PROGRAM, FILE]))?;
    step.done();
    Ok(folder.join(FILE))
}

/// What the image says on its serial port, on a machine that has no other device.
fn boot(context: &Context<'_>, image: &Path, vcpus: u32, memory: u64) -> Result<String> {
    let mut step = context
        .progress
        .step(&format!("example image, {vcpus} vCPUs"))?;
    let plugin = &context.td()?.plugin;
    let mut enclosure = context.environment.enclosure();
    for (file, folder) in [(image, "/built"), (plugin, "/plugin")] {
        let parent = file.parent().context("a file is in a folder")?;
        enclosure = enclosure.bind_read_only(parent, folder);
    }
    let plugin = plugin.file_name().context("a plugin has a name")?;
    let mut command = enclosure.command("timeout");
    command.args([
        LIMIT,
        "qemu-system-x86_64",
        "-nodefaults",
        "-no-user-config",
    ]);
    command.args(["-no-reboot", "-display", "none", "-serial", "stdio"]);
    command.args(["-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", CPU]);
    command.args([
        "-smp",
        &vcpus.to_string(),
        "-m",
        &format!("{}M", memory >> 20),
    ]);
    command.args(["-bios", &format!("/built/{FILE}"), "-plugin"]);
    command.arg(format!("file=/plugin/{}", plugin.to_string_lossy()));
    let text = step.output(&mut command)?;
    step.done();
    Ok(text)
}

/// What the image said.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    log: Vec<u8>,
    mrtd: String,
    rtmrs: [String; 4],
}

impl Said {
    /// Reads it.
    ///
    /// # Errors
    /// When something is missing, or the image found its proof to fail.
    fn parse(text: &str) -> Result<Self> {
        ensure!(
            text.lines().any(|line| line.starts_with("PASS")),
            "the image did not pass"
        );
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let value = line.with_context(|| format!("there is no line {key}"))?;
            Ok::<_, anyhow::Error>(value.trim().to_owned())
        };
        let mut log = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("log ")) {
            log.extend(from_hex(line.trim()).context("the log is not hexadecimal")?);
        }
        Ok(Self {
            log,
            mrtd: value("MRTD ")?,
            rtmrs: [
                value("RTMR0 ")?,
                value("RTMR1 ")?,
                value("RTMR2 ")?,
                value("RTMR3 ")?,
            ],
        })
    }

    fn check(&self, mrtd: &Digest, hob: &Digest, payload: &Digest) -> Result<()> {
        ensure!(
            self.mrtd == mrtd.to_string(),
            "MRTD of the file is {mrtd}, the TDREPORT says {}",
            self.mrtd
        );
        let log = EventLog::parse(&self.log)?;
        let replay = log.replay(Sha2)?;
        let replayed = replay.rtmrs().0.map(|rtmr| rtmr.to_string());
        ensure!(
            replayed == self.rtmrs,
            "the log replays to {replayed:?}, the registers are {:?}",
            self.rtmrs
        );
        for (event_type, expected) in [
            (EventType::EFI_HANDOFF_TABLES2, hob),
            (EventType::IPL, payload),
        ] {
            let found = log
                .events()
                .filter_map(Result::ok)
                .find(|event| event.event_type == event_type);
            match found.and_then(|event| event.digest()) {
                Some(digest) if digest == expected => {}
                digest => {
                    bail!("{event_type} should have the digest {expected}, and has {digest:?}")
                }
            }
        }
        Ok(())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// The longest run of zeros: the part of the image that nothing is in.
fn longest_zeros(image: &[u8]) -> usize {
    image
        .split(|byte| *byte != 0)
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{from_hex, longest_zeros, Said};

    const GOOD: &str = "TD\r\nlog 0102\r\nlog ff\r\nMRTD aa\r\nRTMR0 b0\r\nRTMR1 b1\r\nRTMR2 b2\r\nRTMR3 b3\r\nPASS: all\r\n";

    #[test]
    fn reads_what_the_image_says() {
        let said = Said::parse(GOOD).unwrap();
        assert_eq!(said.log, [1, 2, 255]);
        assert_eq!(said.mrtd, "aa");
        assert_eq!(said.rtmrs, ["b0", "b1", "b2", "b3"]);
    }

    #[test]
    fn what_did_not_pass_is_an_error() {
        for (part, other) in [("PASS", "FAIL"), ("MRTD", "MR"), ("RTMR3", "")] {
            assert!(Said::parse(&GOOD.replace(part, other)).is_err(), "{part}");
        }
        assert_eq!(from_hex("0g"), None);
        assert_eq!(from_hex("012"), None);
    }

    #[test]
    fn finds_the_longest_zeros() {
        assert_eq!(longest_zeros(&[0, 1, 0, 0, 0, 2]), 3);
    }
}
