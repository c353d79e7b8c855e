// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TD tells of its own boot: its report and log, and what the firmware measured that only a running machine has.

use std::collections::BTreeMap;

use anyhow::{ensure, Context as _, Result};
use tdx_call::RtmrIndex;
use tdx_firmware::event_log::EventLog;
use tdx_firmware::mrtd::{mrtd, RecordOrder};
use tdx_firmware::tdvf::Tdvf;
use tdx_firmware::{Rtmrs, Sha2};
use tdx_uapi::{Digest, TdInfo, TdReport};

use crate::report;
use crate::run::PROGRAM;

/// The event log, as ACPI leads to it.
pub(super) const LOG: &str = "/sys/firmware/acpi/tables/data/CCEL";
/// The ACPI table that leads to it.
pub(super) const TABLE: &str = "/sys/firmware/acpi/tables/CCEL";
/// The SMBIOS table.
pub(super) const SMBIOS: &str = "/sys/firmware/dmi/tables/DMI";
/// QEMU's files for the firmware.
pub(super) const FW_CFG: &str = "/sys/firmware/qemu_fw_cfg/by_name";

/// The TD's report.
pub(super) const REPORT: &str = "/tmp/report";

/// A script that writes each file as a line with its name and size, and its bytes behind that.
pub(super) fn script() -> String {
    format!(
        "modprobe qemu_fw_cfg
        ./{PROGRAM} report --device /dev/tdx_guest --out {REPORT} >/dev/null || exit 1
        for file in {REPORT} {TABLE} {LOG} {SMBIOS} {FW_CFG}/bootorder/raw {FW_CFG}/etc/table-loader/raw \
            {FW_CFG}/etc/acpi/*/raw
        do
            [ -f $file ] || continue
            cat $file >/tmp/copy
            echo $file $(wc -c </tmp/copy)
            cat /tmp/copy
        done"
    )
}

/// The files that [`script`] wrote, by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evidence(BTreeMap<String, Vec<u8>>);

impl Evidence {
    /// Reads what the script wrote, once.
    pub(super) fn read(output: &[u8]) -> Result<Self> {
        let (evidence, rest) = Self::split(output)?;
        ensure!(rest.is_empty(), "the TD wrote more than one set of files");
        Ok(evidence)
    }

    /// Reads what the script wrote first, and gives the rest.
    pub(super) fn split(mut output: &[u8]) -> Result<(Self, &[u8])> {
        let mut files = BTreeMap::new();
        while let Some(end) = output.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&output[..end], &output[end + 1..]);
            let line = std::str::from_utf8(line).context("what the TD wrote has no names")?;
            let (name, size) = line.split_once(' ').context("a file has no size")?;
            if files.contains_key(name) {
                break;
            }
            let (content, rest) = rest
                .split_at_checked(size.parse()?)
                .with_context(|| format!("{name} is cut off"))?;
            files.insert(name.to_owned(), content.to_owned());
            output = rest;
        }
        Ok((Self(files), output))
    }

    /// A file.
    pub(super) fn file(&self, name: &str) -> Result<&[u8]> {
        let found = self.0.get(name).map(Vec::as_slice);
        found.with_context(|| format!("the TD has no {name}"))
    }

    /// What the report says of the TD. Its hashes and MAC hold.
    pub(super) fn td_info(&self) -> Result<&TdInfo> {
        Ok(&report::check(self.file(REPORT)?)?.td_info)
    }

    /// The registers of the report: MRTD, RTMR0 to RTMR3.
    pub(super) fn registers(&self) -> Result<[Digest; 5]> {
        let info = self.td_info()?;
        let [zero, one, two, three] = info.rtmr;
        Ok([info.mrtd, zero, one, two, three])
    }

    /// The log.
    pub(super) fn log(&self) -> Result<EventLog<'_>> {
        EventLog::parse(self.file(LOG)?).context("the log cannot be read")
    }

    /// Checks that the log leads to exactly the runtime registers of the report, that each of RTMR0 to RTMR2 has events,
    /// and that MRTD is that of the firmware image. Returns how many events extended each register.
    pub(super) fn check(&self, firmware: &[u8]) -> Result<[usize; 4]> {
        let replay = self.log()?.replay(Sha2).context("the log is broken")?;
        let info = self.td_info()?;
        let replayed: &Rtmrs = replay.rtmrs();
        for index in RtmrIndex::ALL {
            let number = index as usize;
            let (found, expected) = (info.rtmr[number], replayed[index]);
            ensure!(
                found == expected,
                "RTMR{number} is {found}, and the log leads to {expected}"
            );
        }
        let events = RtmrIndex::ALL.map(|index| replay.extended(index));
        ensure!(
            events[..3].iter().all(|count| *count > 0),
            "a register was not extended: {events:?}"
        );
        let expected = mrtd(&Sha2, &Tdvf::parse(firmware)?, RecordOrder::PageByPage);
        ensure!(
            info.mrtd == expected,
            "MRTD is {}, and that of the firmware {expected}",
            info.mrtd
        );
        Ok(events)
    }
}

/// The type of the report, so that its size is not repeated here.
const _: () = assert!(size_of::<TdReport>() == 1024);
