// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Our driver where there is a driver already: Linux's own, or itself.

use super::nodes;
use super::pointers::for_each_node;
use crate::device::{LINUX_NODE, NODE};
use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::module::{Module, OTHER_NAME};
use crate::options::Options;
use anyhow::Result;
use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) const TESTS: &[Test] = &[
    test!(of_the_same_name_are_refused_by_the_kernel),
    test!(of_another_name_are_ebusy_and_say_why_and_change_nothing),
];

/// The device numbers of both nodes, where they are there.
fn numbers() -> [Option<u64>; 2] {
    [LINUX_NODE, NODE].map(|node| Some(fs::symlink_metadata(node).ok()?.rdev()))
}

fn of_the_same_name_are_refused_by_the_kernel(options: &Options) -> Result<()> {
    Module::find(options)?.ensure_loaded()?;
    let before = numbers();
    assert_eq!(Module::find_rival(options)?.load()?, Err(Errno::EEXIST));
    assert_eq!(numbers(), before);
    for_each_node(options, |_| Ok(()))
}

/// The rival has another module name, as it would if the first driver were not a module but built into the kernel.
fn of_another_name_are_ebusy_and_say_why_and_change_nothing(options: &Options) -> Result<()> {
    Module::find(options)?.ensure_loaded()?;
    let rival = Module::find_rival(options)?;
    let mut log = KernelLog::open()?;
    let before = numbers();
    assert_eq!(
        before.iter().flatten().count(),
        nodes::of(options.driver).len()
    );
    for _ in 0..3 {
        assert_eq!(rival.load_renamed()?, Err(Errno::EBUSY));
        assert_eq!(numbers(), before);
        assert!(
            !Path::new("/sys/module").join(OTHER_NAME).exists(),
            "the rival is loaded"
        );
        let lines = log.lines()?;
        let said = lines
            .iter()
            .any(|line| line.contains("tdx_guest") && line.contains("loaded or built in"));
        assert!(said, "the log says only {lines:?}");
    }
    for_each_node(options, |_| Ok(()))
}
