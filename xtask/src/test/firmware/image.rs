// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware library as all that there is in a TD: its example image, booted.

use std::fs;

use anyhow::{ensure, Context as _, Result};
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::EventLog;
use tdx_firmware::hob::{qemu, TdHob};
use tdx_firmware::measurement::action;
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{EventType, HashEngine, Rtmrs, Sha2};
use tdx_uapi::Digest;

use super::{Context, Verdict};
use crate::artefacts::example_image::{used, ExampleImage, Machine};

/// What the image measures as payload, from the project's folder.
const PAYLOAD: &str = "firmware-lib/example-image/src/main.rs";

/// The machines that it is booted on: vCPUs and memory.
const MACHINES: [(u32, u64); 3] = [(1, 512 << 20), (2, 2 << 30), (4, 4 << 30)];

/// Boots the image, and compares what it says with what is known of it beforehand.
pub(super) fn check(context: &Context<'_>) -> Result<Verdict> {
    let example = ExampleImage::build(context.environment, None, &context.progress)?;
    let image = fs::read(&example.file)?;
    let payload = fs::read(context.environment.paths.project().join(PAYLOAD))?;
    let tdvf = Tdvf::parse(&image)?;
    let expected_mrtd = mrtd(&Sha2, &tdvf, RecordOrder::PageByPage);
    for (vcpus, memory) in MACHINES {
        let machine = Machine {
            vcpus,
            memory,
            control: false,
        };
        let plugin = &context.td()?.plugin;
        let text = example.boot(context.environment, plugin, machine, &context.progress)?;
        let said = Said::parse(&text)
            .with_context(|| format!("with {vcpus} vCPUs and {memory} bytes it said\n{text}"))?;
        let mut area = [0; 4096];
        qemu::write_td_hob(&mut area, &tdvf, &qemu::q35_ram(memory))?;
        let hob = TdHob::parse(&area)?;
        said.check(&expected_mrtd, &foreseen(hob.measured(), &payload))
            .with_context(|| format!("with {vcpus} vCPUs and {memory} bytes it said\n{text}"))?;
    }
    Ok(Verdict::Passed(format!(
        "{} of {} bytes used; {} machines",
        used(&image),
        image.len(),
        MACHINES.len()
    )))
}

/// What the image measures, in this order: where, as what, and the digest.
fn foreseen(hob: &[u8], payload: &[u8]) -> [(RtmrIndex, EventType, Digest); 5] {
    let measured = [
        (RtmrIndex::Rtmr0, EventType::EFI_HANDOFF_TABLES2, hob),
        (RtmrIndex::Rtmr0, EventType::SEPARATOR, &[0; 4]),
        (
            RtmrIndex::Rtmr1,
            EventType::EFI_ACTION,
            action::CALLING_EFI_APPLICATION,
        ),
        (RtmrIndex::Rtmr1, EventType::SEPARATOR, &[0; 4]),
        (RtmrIndex::Rtmr2, EventType::IPL, payload),
    ];
    measured.map(|(rtmr, event_type, data)| (rtmr, event_type, Sha2.digest(&[data])))
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

    fn check(&self, mrtd: &Digest, foreseen: &[(RtmrIndex, EventType, Digest)]) -> Result<()> {
        ensure!(
            self.mrtd == mrtd.to_string(),
            "MRTD of the file is {mrtd}, the TDREPORT says {}",
            self.mrtd
        );
        let mut rtmrs = Rtmrs::ZERO;
        let mut events = EventLog::parse(&self.log)?.events();
        for (rtmr, event_type, digest) in foreseen {
            rtmrs.extend(&Sha2, *rtmr, digest);
            let event = events.next().context("the log has too few events")??;
            let found = (event.rtmr(), event.event_type, event.digest());
            ensure!(
                found == (Some(*rtmr), *event_type, Some(digest)),
                "the log has {found:?} for {event_type} in {rtmr:?} with the digest {digest}"
            );
        }
        ensure!(
            events.next().is_none(),
            "the log has more than {} events",
            foreseen.len()
        );
        let rtmrs = rtmrs.0.map(|rtmr| rtmr.to_string());
        ensure!(
            rtmrs == self.rtmrs,
            "the registers should be {rtmrs:?}, and are {:?}",
            self.rtmrs
        );
        Ok(())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{from_hex, Said};

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
}
