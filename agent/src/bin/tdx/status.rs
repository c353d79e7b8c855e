// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx status`

mod host;

use crate::claims;
use crate::exit::Exit;
use crate::output::{Output, HEADING};
use anyhow::Result;
use clap::Args;
use host::HostSurface;
use serde_json::json;
use std::fmt::{Display, Write as _};
use std::time::{Duration, Instant};
use tdx_agent::{Claim, Error, Interfaces, Outcome, Policy, ReportData, Td};
use tdx_uapi::TdReport;

/// Say whether this is a TD, what works, what is missing, and what the host can reach
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Ask the host for a Quote, too
    #[arg(long)]
    quote: bool,

    /// How long the host may take for it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "quote")]
    timeout: u64,
}

/// How long anything else may take.
const LIMIT: Duration = Duration::from_secs(10);

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let checks = self.checks();
        // Elsewhere, the host is whom one trusts.
        let host = Td::open().is_ok().then(HostSurface::find);
        let works = checks
            .iter()
            .all(|check| check.claim.outcome != Outcome::Fails);
        let claims: Vec<_> = checks.iter().map(|check| check.claim.clone()).collect();
        let advice: Vec<_> = checks
            .iter()
            .filter_map(|check| check.advice.as_deref())
            .collect();
        let json = json!({ "works": works, "claims": claims, "advice": advice, "host": host });
        output.print(&json, || {
            let mut text = claims::lines(&claims);
            for advice in &advice {
                let _ = writeln!(text, "{HEADING}try:{HEADING:#} {advice}");
            }
            if let Some(host) = &host {
                let _ = write!(text, "\n{host}");
            }
            text
        })?;
        Ok(Exit::holds(works))
    }

    fn checks(&self) -> Vec<Check> {
        let td = match Td::open() {
            Ok(td) => td,
            Err(error) => {
                let name = match error {
                    Error::NotATd { .. } => "td",
                    _ => "driver",
                };
                return vec![Check::failed(name, &error)];
            }
        };
        let mut checks = vec![Check::holds("td", "the kernel says that this is one")];
        checks.push(interfaces(&td.interfaces()));
        let report = td.report(&ReportData([0; 64]), LIMIT);
        match &report {
            Ok(bytes) => {
                checks.push(Check::holds("report", "the TDX module gives TDREPORTs"));
                if let Ok(report) = TdReport::parse(bytes) {
                    // What no policy may want to hear of is said all the same.
                    let claims = Policy::default().claims(&report.into());
                    checks.extend(claims.into_iter().map(Check::from));
                }
            }
            Err(error) => checks.push(Check::failed("report", error)),
        }
        checks.push(match td.interfaces() {
            Interfaces {
                registers: Some(path),
                ..
            } => Check::holds("registers", format!("in {}", path.display())),
            _ => Check::missing(
                "registers",
                "not in sysfs, so they are read from TDREPORTs, and extended by the device if it can",
            ),
        });
        checks.push(match td.event_log() {
            Ok(log) => Check::holds("event-log", format!("{} bytes", log.log.len())),
            Err(error @ Error::Unsupported { .. }) => {
                Check::missing("event-log", error.to_string())
            }
            Err(error) => Check::failed("event-log", &error),
        });
        checks.push(self.quote(&td));
        checks
    }

    fn quote(&self, td: &Td) -> Check {
        if !self.quote {
            return Check::missing("quote", "not asked for; --quote does");
        }
        let begin = Instant::now();
        match td.quote(&ReportData([0; 64]), Duration::from_secs(self.timeout)) {
            Ok(quote) => Check::holds(
                "quote",
                format!(
                    "{} bytes after {} ms",
                    quote.len(),
                    begin.elapsed().as_millis()
                ),
            ),
            Err(error) => Check::failed("quote", &error),
        }
    }
}

/// Something that was tried.
struct Check {
    claim: Claim,
    advice: Option<String>,
}

impl From<Claim> for Check {
    fn from(claim: Claim) -> Self {
        Self {
            claim,
            advice: None,
        }
    }
}

impl Check {
    fn holds(name: &'static str, detail: impl Display) -> Self {
        Claim::holds(name, detail.to_string()).into()
    }

    fn missing(name: &'static str, detail: impl Into<String>) -> Self {
        Claim::unchecked(name, detail).into()
    }

    fn failed(name: &'static str, error: &Error) -> Self {
        Self {
            claim: Claim::fails(name, error.to_string()),
            advice: error.advice(),
        }
    }
}

fn interfaces(found: &Interfaces) -> Check {
    let paths: Vec<_> = [&found.device, &found.tsm]
        .into_iter()
        .flatten()
        .map(|path| path.display().to_string())
        .collect();
    match paths.as_slice() {
        [] => Check::missing("driver", "neither its device nor configfs-tsm can be used"),
        paths => Check::holds("driver", paths.join(", ")),
    }
}
