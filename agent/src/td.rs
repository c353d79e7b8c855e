// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The TD that this program runs in.

mod deadline;
mod device;
mod event_log;
mod qgs;
mod registers;
mod system;
mod tsm;

pub use deadline::Deadline;
pub use event_log::RawEventLog;
pub use registers::Registers;

use crate::{Error, ReportData, Step};
use device::Device;
use qgs::Qgs;
use registers::SysfsRegisters;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use system::System;
use tdx_uapi::{quote, Digest, TdReport, TDREPORT_LEN};
use tsm::Tsm;

/// The TD that this program runs in.
///
/// It may be used by several threads at once, and calls of theirs do not wait for each other unless the driver makes them.
/// Every call has a [`Deadline`].
#[derive(Debug)]
pub struct Td {
    system: System,
    device: Result<Arc<Device>, device::Absent>,
    tsm: Option<Tsm>,
    registers: Option<SysfsRegisters>,
}

/// Which interfaces there are, best first for what they are used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interfaces {
    /// The device node that is open: TDREPORTs, and Quotes where configfs-tsm is missing.
    pub device: Option<PathBuf>,
    /// The folder of configfs-tsm: Quotes.
    pub tsm: Option<PathBuf>,
    /// The folder of the measurement registers in sysfs.
    pub registers: Option<PathBuf>,
}

impl Td {
    /// Opens what there is.
    ///
    /// It is no error that some of it is missing or must not be used: the call that needs it says so.
    ///
    /// # Errors
    ///
    /// [`Error::NotATd`], and [`Error::NoDriver`] if there is no interface at all.
    pub fn open() -> Result<Self, Error> {
        Self::open_at(Path::new("/"))
    }

    /// [`Td::open`] where /dev, /proc and /sys are in the folder `root`, as a container may have those of its host.
    ///
    /// # Errors
    ///
    /// Those of [`Td::open`].
    pub fn open_at(root: &Path) -> Result<Self, Error> {
        let system = System::at(root);
        if !system.is_td() {
            return Err(Error::NotATd { step: Step::Open });
        }
        let td = Self {
            device: Device::open(&system).map(Arc::new),
            tsm: Tsm::find(&system),
            registers: SysfsRegisters::find(&system),
            system,
        };
        let nothing = matches!(td.device, Err(device::Absent::Missing))
            && td.tsm.is_none()
            && td.registers.is_none();
        if nothing {
            return Err(td.no_driver(Step::Open));
        }
        Ok(td)
    }

    /// Which interfaces were found.
    pub fn interfaces(&self) -> Interfaces {
        Interfaces {
            device: self
                .device
                .as_ref()
                .ok()
                .map(|device| device.path().to_owned()),
            tsm: self.tsm.as_ref().map(|tsm| tsm.path().to_owned()),
            registers: self
                .registers
                .as_ref()
                .map(|registers| registers.path().to_owned()),
        }
    }

    /// Gets a TDREPORT.
    ///
    /// The TDX module makes it at once; the deadline bounds how often an interrupted or refused attempt is repeated.
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::Report`]; [`Error::Answer`] if it is no report or carries other REPORTDATA.
    pub fn report(
        &self,
        reportdata: &ReportData,
        deadline: impl Into<Deadline>,
    ) -> Result<[u8; TDREPORT_LEN], Error> {
        let deadline = deadline.into();
        let report = self
            .device(Step::Report)?
            .report(Step::Report, reportdata, deadline)?;
        let answer = |what| Error::Answer {
            step: Step::Report,
            what,
        };
        let parsed = TdReport::parse(&report).map_err(|error| answer(error.to_string()))?;
        if parsed.mac.reportdata != reportdata.0 {
            return Err(answer(
                "the report carries other REPORTDATA than was asked for".into(),
            ));
        }
        Ok(report)
    }

    /// Gets a Quote, by configfs-tsm where there is one, by ioctl otherwise. Where neither gives one, and the host's quote
    /// generation service listens on vsock (at port 4050, or the one in /etc/tdx-attest.conf), that is asked.
    ///
    /// When the deadline passes, the request goes on in the driver, until that gives it up or the host answers.
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::Quote`]; [`Error::Answer`] if what comes is no Quote for a TD or carries other REPORTDATA.
    /// Whether it is genuine is for a verifier to say.
    pub fn quote(
        &self,
        reportdata: &ReportData,
        deadline: impl Into<Deadline>,
    ) -> Result<Vec<u8>, Error> {
        let (deadline, reportdata) = (deadline.into(), *reportdata);
        let answer = match self.driver_quote(reportdata, deadline) {
            Err(
                error @ (Error::NoQuotingService { .. }
                | Error::NoPermission { .. }
                | Error::Unsupported { .. }),
            ) => self.service_quote(reportdata, deadline)?.ok_or(error)?,
            result => result?,
        };
        let wrong = |what: &str| Error::Answer {
            step: Step::Quote,
            what: what.into(),
        };
        if answer.is_empty() {
            return Err(wrong(
                "the kernel gave an empty Quote, which means that the host gave none",
            ));
        }
        match tdx_uapi::quote_reportdata(&answer) {
            None => Err(wrong(&format!(
                "the answer of {} bytes is no Quote of version 4 or 5 for a TD{}",
                answer.len(),
                quote::Quote::parse(&answer)
                    .err()
                    .map(|error| format!(" ({error})"))
                    .unwrap_or_default()
            ))),
            Some(found) if *found != reportdata.0 => Err(wrong(
                "the Quote carries other REPORTDATA than was asked for",
            )),
            Some(_) => Ok(answer),
        }
    }

    /// The Quote that the driver gets.
    fn driver_quote(&self, reportdata: ReportData, deadline: Deadline) -> Result<Vec<u8>, Error> {
        let device = self.device(Step::Quote).cloned();
        match (&self.tsm, device) {
            (Some(tsm), device) => {
                let tsm = tsm.clone();
                deadline.run(Step::Quote, move || {
                    match (tsm.quote(&reportdata, deadline), device) {
                        // Without the privilege for configfs, or without a provider there, the device may do.
                        (
                            Err(Error::NoPermission { .. } | Error::Unsupported { .. }),
                            Ok(device),
                        ) => device.quote(&reportdata, deadline),
                        (result, _) => result,
                    }
                })
            }
            (None, Ok(device)) => {
                deadline.run(Step::Quote, move || device.quote(&reportdata, deadline))
            }
            (None, Err(error)) => Err(error),
        }
    }

    /// The Quote that the host's service on vsock gives, if there is one.
    fn service_quote(
        &self,
        reportdata: ReportData,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Ok(device) = self.device(Step::Quote).cloned() else {
            return Ok(None);
        };
        let service = Qgs::of(&self.system);
        deadline.run(Step::Quote, move || {
            // What the driver said of the Quote is worth more than that it gives no report, either.
            let Ok(report) = device.report(Step::Quote, &reportdata, deadline) else {
                return Ok(None);
            };
            service.quote(&report, deadline).transpose()
        })
    }

    /// Reads the measurement registers: from sysfs, which needs no privilege, otherwise from a TDREPORT.
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::Registers`].
    pub fn registers(&self, deadline: impl Into<Deadline>) -> Result<Registers, Error> {
        let deadline = deadline.into();
        if let Some(registers) = &self.registers {
            return registers.read();
        }
        let report = self.device(Step::Registers)?.report(
            Step::Registers,
            &ReportData([0; 64]),
            deadline,
        )?;
        let report = TdReport::parse(&report).map_err(|error| Error::Answer {
            step: Step::Registers,
            what: error.to_string(),
        })?;
        Ok(Registers::from(&report.td_info))
    }

    /// Extends an RTMR: it becomes SHA-384(register ‖ digest). That cannot be undone.
    ///
    /// Nothing records this extension; see the runtime log for a way that does.
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::Extend`]. The register is then as it was.
    pub fn extend(
        &self,
        rtmr: usize,
        digest: &Digest,
        deadline: impl Into<Deadline>,
    ) -> Result<(), Error> {
        let deadline = deadline.into();
        if rtmr > 3 {
            return Err(Error::Unsupported {
                step: Step::Extend,
                what: format!("there is no RTMR{rtmr}, only RTMR0 to RTMR3"),
            });
        }
        match &self.registers {
            Some(registers) => registers.extend(rtmr, digest, deadline),
            None => self
                .device(Step::Extend)?
                .extend(rtmr as u8, digest, deadline),
        }
    }

    /// Reads the event log that the firmware and the boot loader wrote (CCEL).
    ///
    /// # Errors
    ///
    /// [`Error`] at [`Step::EventLog`]; [`Error::Unsupported`] if the firmware left none, as in a direct boot without a
    /// TDVF.
    pub fn event_log(&self) -> Result<RawEventLog, Error> {
        RawEventLog::read(&self.system)
    }

    fn device(&self, step: Step) -> Result<&Arc<Device>, Error> {
        self.device.as_ref().map_err(|absent| match absent {
            device::Absent::Missing => self.no_driver(step),
            device::Absent::Refused { path, error } => system::io_error(step, path, *error),
        })
    }

    fn no_driver(&self, step: Step) -> Error {
        Error::NoDriver {
            step,
            looked_for: [Device::NODES.as_slice(), &[Tsm::FOLDER]]
                .concat()
                .into_iter()
                .map(|path| self.system.path(path))
                .collect(),
        }
    }
}
