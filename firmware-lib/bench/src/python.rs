// SPDX-License-Identifier: Apache-2.0 OR MIT

//! cctrusted's replay, in Python, beside ours.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use tdx_firmware::event_log::EventLog;
use tdx_firmware::Sha2;

use crate::turns::{least, ratio};

/// Replays as often as it is told, and prints the least time in nanoseconds and the registers.
const SCRIPT: &str = r"
import sys, time
from cctrusted_base.eventlog import EventLogs, TcgEventLog
from cctrusted_base.tcg import TcgAlgorithmRegistry
log = open(sys.argv[1], 'rb').read()
least = None
for _ in range(int(sys.argv[2])):
    start = time.perf_counter_ns()
    logs = EventLogs(log, b'', TcgEventLog.TCG_FORMAT_PCCLIENT)
    logs.select(None, None)
    registers = EventLogs.replay(logs.event_logs)
    time_taken = time.perf_counter_ns() - start
    least = time_taken if least is None else min(least, time_taken)
print(least)
for index in range(4):
    by_algorithm = registers.get(index, {})
    print(bytes(by_algorithm.get(TcgAlgorithmRegistry.TPM_ALG_SHA384, bytes(48))).hex())
";

/// Replays with both.
pub(crate) fn compare(python: &Path, path: &Path, log: &[u8], rounds: u32) -> Result<()> {
    let mut command = Command::new(python);
    command
        .args(["-c", SCRIPT])
        .arg(path)
        .arg((rounds * 5).to_string());
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", python.display()))?;
    ensure!(
        output.status.success(),
        "{} with cctrusted-base failed",
        python.display()
    );
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines();
    let theirs = Duration::from_nanos(lines.next().context("no time was printed")?.parse()?);

    let mut registers = [tdx_uapi::Digest::ZERO; 4];
    let mut replay = || {
        for _ in 0..100 {
            let log = EventLog::parse(black_box(log)).expect("it was parsed before");
            registers = log.replay(Sha2).expect("it was replayed before").rtmrs().0;
        }
    };
    let ours = least(rounds, &mut [&mut replay])[0] / 100;
    for (register, line) in registers.iter().zip(lines) {
        ensure!(
            register.to_string() == line,
            "cctrusted has {line} where we have {register}"
        );
    }
    println!(
        "replay, cctrusted: takes {:.0} times as long, and has the same registers",
        ratio(theirs, ours)
    );
    Ok(())
}
