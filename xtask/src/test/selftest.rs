// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Linux's own test of the driver, compiled unmodified from the kernel's source, on both drivers.

use anyhow::{ensure, Result};
use tdx_uapi::TdReport;

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::run::PROGRAM;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "selftest",
        about: "Linux's tdx_guest_test passes on this driver and on the kernel's own",
        tier: Tier::Landing,
        run: selftest,
    },
    Check {
        name: "same-report",
        about: "for equal REPORTDATA, both drivers' reports are equal byte for byte",
        tier: Tier::Landing,
        run: same_report,
    },
];

fn selftest(context: &Context<'_>) -> Result<Verdict> {
    for (name, which) in [
        ("selftest, driver", Which::Rust),
        ("selftest, C driver", Which::C),
    ] {
        let mut guest = context.guest(name, which)?;
        guest.files.push(context.selftest()?.into());
        let text =
            String::from_utf8_lossy(&context.succeed(&guest, &["./tdx_guest_test"])?).into_owned();
        ensure!(
            text.contains("ok 1 ") && text.contains(" fail:0 "),
            "{name}: the test did not say that it passed:\n{text}"
        );
    }
    Ok(Verdict::Passed("on both".into()))
}

fn same_report(context: &Context<'_>) -> Result<Verdict> {
    let reportdata = "5c".repeat(64);
    let mut reports = Vec::new();
    for (name, which) in [
        ("report, driver", Which::Rust),
        ("report, C driver", Which::C),
    ] {
        let mut guest = context.guest(name, which)?;
        guest.files.push(context.program()?.into());
        let program = format!("./{PROGRAM}");
        let command = [
            &program,
            "report",
            "--device",
            "/dev/tdx_guest",
            "--reportdata",
            &reportdata,
            "--out",
            "-",
        ];
        let output = context.output(&guest, &command)?;
        ensure!(
            output.status == 0,
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        reports.push(output.stdout);
    }
    let report = TdReport::parse(&reports[0])?;
    ensure!(
        report.mac.reportdata == [0x5c; 64],
        "the report is for other REPORTDATA"
    );
    ensure!(
        reports[0] == reports[1],
        "the reports differ:\n{report}\n{}",
        TdReport::parse(&reports[1])?
    );
    Ok(Verdict::Passed("1024 bytes".into()))
}
