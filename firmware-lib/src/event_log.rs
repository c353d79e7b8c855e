// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The CC event log: what was measured into which register, in order.
//!
//! A log is a header, [`SpecId`], and [`Event`]s one after another, in an area that is filled with 0xff behind the last
//! one. The area is where the CCEL table says; Linux shows it as `/sys/firmware/acpi/tables/data/CCEL`.
//!
//! Source: UEFI specification, "Confidential Computing", "Virtual Platform CC Event Log"; *TCG PC Client Platform Firmware
//! Profile Specification*, "Event Logging".
#![cfg_attr(
    feature = "reader",
    doc = r#"
Reading never fails as a whole: what comes before a broken event is there, and an error says where and why it ends.

```
use tdx_firmware::event_log::EventLog;
use tdx_firmware::Sha2;

/// Prints a log, and the registers that it leads to.
fn show(bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let log = EventLog::parse(bytes)?;
    for event in log.events() {
        println!("{}", event?);
    }
    println!("RTMR0 {}", log.replay(Sha2)?.rtmrs().0[0]);
    Ok(())
}
```
"#
)]

#[cfg(feature = "reader")]
mod check;
#[cfg(feature = "reader")]
mod event;
#[cfg(feature = "reader")]
mod reader;
#[cfg(feature = "reader")]
mod replay;
mod spec_id;
#[cfg_attr(not(feature = "reader"), allow(dead_code))]
mod walk;
#[cfg(feature = "writer")]
mod writer;

#[cfg(feature = "reader")]
pub use check::DataCheck;
#[cfg(feature = "reader")]
pub use event::{Digests, Event};
#[cfg(feature = "reader")]
pub use reader::{EventLog, Events};
#[cfg(feature = "reader")]
pub use replay::{NotExtended, Replay, Step};
pub use spec_id::{algorithm, SpecId};
pub use walk::{EventError, EventErrorKind, HeaderError};
#[cfg(feature = "writer")]
pub use writer::{LogWriter, OpenError};
