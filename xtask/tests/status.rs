// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The status that xtask ends with when it never gets as far as setting something up.

use std::process::Command;

/// The status of xtask with two options that contradict each other.
fn status(work: &[&str]) -> Option<i32> {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args([
        "--kernel",
        "7.2.12+deb13-cloud-amd64",
        "--flavour",
        "generic",
    ]);
    xtask.args(work);
    xtask.output().expect("xtask starts").status.code()
}

#[test]
fn vm_tells_a_failure_of_its_own_from_one_of_the_command() {
    assert_eq!(status(&["vm", "--", "false"]), Some(125));
    assert_eq!(status(&["run"]), Some(1));
}
