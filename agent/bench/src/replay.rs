// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Replaying a log.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha384};
use tdx_agent::replay::{Logs, Replay};
use tdx_firmware::event_log::EventLog;
use tdx_firmware::Sha2;
use tdx_uapi::Digest;

/// With what each event says, and whether its data is what was measured.
pub(crate) fn explained(log: &[u8], times: u32) -> Result<()> {
    for _ in 0..times {
        let logs = Logs {
            boot: Some(black_box(log)),
            ..Logs::default()
        };
        black_box(Replay::new(&logs)?.registers);
    }
    Ok(())
}

/// The registers only.
pub(crate) fn registers(log: &[u8], times: u32) -> Result<()> {
    for _ in 0..times {
        black_box(read(black_box(log))?);
    }
    Ok(())
}

/// The registers that a log leads to.
pub(crate) fn read(log: &[u8]) -> Result<[Digest; 4]> {
    let log = EventLog::parse(log).context("no log")?;
    Ok(log.replay(Sha2).context("the log is broken")?.rtmrs().0)
}

/// The same extensions, without reading the log each time.
pub(crate) fn bare(log: &[u8], times: u32) -> Result<()> {
    let mut extensions = Vec::new();
    for event in EventLog::parse(log).context("no log")?.events() {
        let event = event?;
        extensions.extend(event.rtmr().zip(event.digest()));
    }
    for _ in 0..times {
        let mut registers = [[0_u8; 48]; 4];
        for (rtmr, digest) in black_box(&extensions) {
            let register = &mut registers[*rtmr as usize];
            let hash = Sha384::new()
                .chain_update(&*register)
                .chain_update(digest.0);
            *register = hash.finalize().into();
        }
        black_box(registers);
    }
    Ok(())
}
