// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the driver does in a machine that is no TD: nothing.

use crate::device::{LINUX_NODE, NODE};
use crate::harness::{test, Test};
use crate::module::{self, Module};
use crate::options::{Driver, Options};
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::fs;

pub(super) const TESTS: &[Test] = &[
    test!(the_driver_does_not_load).only(&[Driver::None]),
    test!(the_driver_is_not_wanted_by_the_cpu).only(&[Driver::None]),
];

fn assert_nothing_is_there() -> Result<()> {
    assert_eq!(module::references()?, None, "a driver is loaded");
    for node in [NODE, LINUX_NODE] {
        assert!(fs::symlink_metadata(node).is_err(), "there is a {node}");
    }
    Ok(())
}

fn the_driver_does_not_load(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    // As an administrator would, which also loads the modules that the driver rests on.
    let error = module::modprobe("tdx_guest").expect_err("modprobe loads the driver");
    let error = format!("{error:#}");
    assert!(error.contains(Errno::ENODEV.desc()), "{error}");
    assert_nothing_is_there()?;
    // More than once: the first attempt has to be cleaned up after.
    for _ in 0..3 {
        assert_eq!(module.load()?, Err(Errno::ENODEV));
        assert_nothing_is_there()?;
    }
    Ok(())
}

fn the_driver_is_not_wanted_by_the_cpu(_: &Options) -> Result<()> {
    let path = "/sys/devices/system/cpu/modalias";
    let alias = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    // There may be modules for this CPU, and it is no failure if there are none.
    let _ = module::modprobe(alias.trim_end());
    assert_nothing_is_there()
}
