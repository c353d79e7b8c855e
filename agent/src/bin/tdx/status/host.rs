// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What of this kernel the host can talk to.

use crate::output::HEADING;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::Path;
use tdx_agent::visible;

/// What the host can talk to. Everything in it must be able to bear hostile input.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HostSurface {
    /// PCI devices that have a driver: the device's address and its driver's name.
    pci: Vec<(String, String)>,
    /// ACPI tables, all of which the host may have written. DSDT and SSDTs are programs.
    acpi: Vec<String>,
}

impl HostSurface {
    pub(crate) fn find() -> Self {
        let mut pci: Vec<_> = names("/sys/bus/pci/devices")
            .into_iter()
            .filter_map(|device| {
                let link = Path::new("/sys/bus/pci/devices")
                    .join(&device)
                    .join("driver");
                let driver = fs::read_link(link).ok()?;
                Some((device, driver.file_name()?.to_string_lossy().into_owned()))
            })
            .collect();
        pci.sort();
        let mut acpi = names("/sys/firmware/acpi/tables");
        acpi.retain(|name| !matches!(name.as_str(), "data" | "dynamic"));
        acpi.sort();
        Self { pci, acpi }
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| visible(&entry.file_name().to_string_lossy()))
        .collect()
}

impl fmt::Display for HostSurface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}what the host can reach{HEADING:#}")?;
        let pci: Vec<_> = self
            .pci
            .iter()
            .map(|(device, driver)| format!("{driver} ({device})"))
            .collect();
        let list = |list: &[String]| match list {
            [] => "none".to_owned(),
            list => list.join(", "),
        };
        writeln!(f, "  PCI drivers  {}", list(&pci))?;
        writeln!(f, "  ACPI tables  {}", list(&self.acpi))
    }
}
