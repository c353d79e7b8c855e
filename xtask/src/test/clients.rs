// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs of others, unmodified from their registry, against the driver: a check for each, which names it.

mod crates;
mod proposals;
mod python;
mod vsock;

use anyhow::{bail, ensure, Context as _, Result};
use tdx_uapi::{quote_reportdata, TdReport};

use super::{Check, Context, Tier, Verdict};
use crate::report;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "client-tdx-attest",
        about: "the crate tdx_attest gets TDREPORTs and Quotes, by the TDX 1.0 ABI and by the next",
        tier: Tier::Landing,
        run: crates::tdx_attest,
    },
    Check {
        name: "client-workload",
        about: "the crate tdx_workload_attestation gets a TDREPORT",
        tier: Tier::Landing,
        run: crates::workload,
    },
    Check {
        name: "client-pytdxmeasure",
        about: "PyPI's pytdxmeasure gets a TDREPORT and a Quote by the TDX 1.0 ABI, and a TDREPORT by Linux's",
        tier: Tier::Landing,
        run: python::pytdxmeasure,
    },
    Check {
        name: "client-cctrusted-vm",
        about: "PyPI's cctrusted_vm gets Quotes through configfs-tsm and by ioctl",
        tier: Tier::Landing,
        run: python::cctrusted_vm,
    },
    Check {
        name: "proposals",
        about: "what the selftests of the proposals for GET_REPORT, GET_QUOTE and VERIFYREPORT do succeeds",
        tier: Tier::Landing,
        run: proposals::proposals,
    },
    Check {
        name: "client-vsock",
        about: "PyPI's cctrusted_vm and tdx get a Quote from a QGS over vsock",
        tier: Tier::All,
        run: vsock::vsock,
    },
];

/// Something that a program got, of which it printed a line: `report` or `quote`, by which way, and the bytes in hexadecimal
/// digits.
#[derive(Debug, PartialEq)]
enum Got {
    Report(String, Vec<u8>),
    Quote(String, Vec<u8>),
}

impl Got {
    fn parse(line: &str) -> Result<Self> {
        let what = || format!("a line is neither a report nor a Quote: {line}");
        let mut words = line.split(' ');
        let (kind, way, digits) = (words.next(), words.next(), words.next());
        let (Some(kind), Some(way), Some(digits)) = (kind, way, digits) else {
            bail!(what())
        };
        let bytes = hex::decode(digits).with_context(what)?;
        match kind {
            "report" => Ok(Self::Report(way.into(), bytes)),
            "quote" => Ok(Self::Quote(way.into(), bytes)),
            _ => bail!(what()),
        }
    }

    /// What it is, and by which way.
    fn name(&self) -> String {
        match self {
            Self::Report(way, _) => format!("report {way}"),
            Self::Quote(way, _) => format!("quote {way}"),
        }
    }

    /// Fails unless it holds, by those who can tell, and carries `reportdata`.
    fn check(&self, context: &Context<'_>, reportdata: &[u8; 64]) -> Result<()> {
        match self {
            Self::Report(_, bytes) => {
                let report: &TdReport = report::check(bytes)?;
                ensure!(
                    report.mac.reportdata == *reportdata,
                    "it is for other REPORTDATA"
                );
            }
            Self::Quote(_, bytes) => {
                ensure!(
                    quote_reportdata(bytes) == Some(reportdata),
                    "it is for other REPORTDATA"
                );
                let verifier = context.verifier()?;
                verifier.accept(&verifier.write("td.toml", "")?, bytes, reportdata)?;
            }
        }
        Ok(())
    }
}

/// Fails unless the lines that a program printed are `expected`, in this order, and what they hold is as it should be.
fn check(
    context: &Context<'_>,
    output: &[u8],
    expected: &[&str],
    reportdata: &[u8; 64],
) -> Result<Verdict> {
    let output = String::from_utf8_lossy(output);
    let got = output.lines().map(Got::parse).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = got.iter().map(Got::name).collect();
    ensure!(
        names == expected,
        "expected {}, found {}",
        expected.join(", "),
        names.join(", ")
    );
    for got in &got {
        got.check(context, reportdata).with_context(|| got.name())?;
    }
    Ok(Verdict::Passed(names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::Got;

    #[test]
    fn lines_say_what_was_got() {
        let got = Got::parse("quote 1.0 00ff").unwrap();
        assert_eq!(got, Got::Quote("1.0".into(), vec![0, 0xff]));
        assert_eq!(got.name(), "quote 1.0");
        for wrong in ["", "quote", "quote 1.0", "quote 1.0 0", "error 1.0 00"] {
            assert!(Got::parse(wrong).is_err(), "{wrong}");
        }
    }
}
