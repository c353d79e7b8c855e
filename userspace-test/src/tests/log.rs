// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the kernel said all the time.

use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::options::{Driver, Options};
use anyhow::Result;

pub(super) const TESTS: &[Test] = &[test!(has_no_complaint_since_the_machine_started).only(&[
    Driver::Rust,
    Driver::C,
    Driver::None,
])];

/// Each test looks at what is said while it runs; this is about the rest, like the driver's loading while booting.
fn has_no_complaint_since_the_machine_started(_: &Options) -> Result<()> {
    let complaints = KernelLog::whole()?.complaints()?;
    assert!(
        complaints.is_empty(),
        "The kernel complained:\n{}",
        complaints.join("\n")
    );
    Ok(())
}
