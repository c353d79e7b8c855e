// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Loading and unloading the driver.

use super::nodes;
use super::pointers::assert_works;
use crate::device::{assert_carries, random_reportdata, Device};
use crate::harness::{test, Skip, Test};
use crate::kernel_log::KernelLog;
use crate::module::{self, Module};
use crate::options::{Driver, Options};
use crate::tsm::Entry;
use anyhow::{Context, Result};
use nix::errno::Errno;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

pub(super) const TESTS: &[Test] = &[
    test!(is_not_unloaded_while_somebody_has_it_open),
    test!(leaves_nothing_behind_when_unloaded),
    test!(can_be_loaded_and_unloaded_many_times).slow(20),
    test!(can_be_unloaded_among_openers).slow(5),
    test!(loads_by_its_modalias).only(&[Driver::Rust]),
    test!(is_ebusy_where_configfs_has_an_entry_from_before).only(&[Driver::Rust]),
];

fn assert_all_nodes_work(options: &Options) -> Result<()> {
    nodes::of(options.driver)
        .iter()
        .try_for_each(|node| assert_works(&Device::open(node)?))
}

fn is_not_unloaded_while_somebody_has_it_open(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    for node in nodes::of(options.driver) {
        module.ensure_loaded()?;
        let before = module::references()?.context("a loaded module has a reference count")?;
        let first = Device::open(node)?;
        let second = Device::open(node)?;
        assert_eq!(module::references()?, Some(before + 2), "{node} open twice");
        // "EWOULDBLOCK: […] the reference count of this module is nonzero": delete_module(2).
        assert_eq!(
            module::unload(),
            Err(Errno::EWOULDBLOCK),
            "{node} open twice"
        );
        drop(first);
        assert_eq!(
            module::unload(),
            Err(Errno::EWOULDBLOCK),
            "{node} open once"
        );
        assert_works(&second)?;
        assert_all_nodes_work(options)?;
        drop(second);
        assert_eq!(module::references()?, Some(before), "{node} closed");
        assert_eq!(module::unload(), Ok(()), "{node} closed");
    }
    module.ensure_loaded()?;
    assert_all_nodes_work(options)
}

fn leaves_nothing_behind_when_unloaded(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    module.ensure_loaded()?;
    module::unload_when_unused()?;
    assert_eq!(module::references()?, None);
    for node in nodes::of(options.driver) {
        assert!(fs::symlink_metadata(node).is_err(), "{node} is still there");
        let sysfs = Path::new("/sys/class/misc").join(node.trim_start_matches("/dev/"));
        assert!(!sysfs.exists(), "{} is still there", sysfs.display());
    }
    assert_eq!(module.load()?, Ok(()));
    assert_all_nodes_work(options)
}

fn can_be_loaded_and_unloaded_many_times(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    module.ensure_loaded()?;
    for round in 0..options.loads {
        module::unload_when_unused().with_context(|| format!("unloading in round {round}"))?;
        module
            .load()?
            .with_context(|| format!("loading in round {round}"))?;
        assert_all_nodes_work(options).with_context(|| format!("in round {round}"))?;
    }
    Ok(())
}

fn can_be_unloaded_among_openers(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    module.ensure_loaded()?;
    let stop = AtomicBool::new(false);
    let (reports, misses) = (AtomicU32::new(0), AtomicU32::new(0));
    let open_again_and_again = |node: &str| -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            match Device::open_with(node, OpenOptions::new().read(true)) {
                Ok(device) => {
                    let reportdata = random_reportdata()?;
                    let report = device.get_report(&reportdata).context("on an open file")?;
                    assert_carries(&report, &reportdata);
                    reports.fetch_add(1, Ordering::Relaxed);
                }
                // There is no node, or one whose driver has just gone.
                Err(error) => {
                    let errors = [Errno::ENOENT, Errno::ENODEV, Errno::ENXIO]
                        .map(|errno| Some(errno as i32));
                    assert!(
                        errors.contains(&error.raw_os_error()),
                        "opening {node}: {error}"
                    );
                    misses.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
            }
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let openers: Vec<_> = nodes::of(options.driver)
            .iter()
            .flat_map(|node| [node, node])
            .map(|node| scope.spawn(|| open_again_and_again(node)))
            .collect();
        let result = (0..5).try_for_each(|_| {
            while module::unload().is_err() {
                thread::yield_now();
            }
            module.load()?.context("loading among openers")
        });
        stop.store(true, Ordering::Relaxed);
        for opener in openers {
            opener.join().expect("an opener does not panic")?;
        }
        result
    })?;
    println!("{reports:?} reports, {misses:?} times no driver");
    assert_ne!(reports.into_inner(), 0, "no opener ever met the driver");
    assert_all_nodes_work(options)
}

fn loads_by_its_modalias(options: &Options) -> Result<()> {
    let path = "/sys/devices/system/cpu/modalias";
    let alias = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Module::find(options)?.ensure_loaded()?;
    module::unload_when_unused()?;
    // That there are modules for all that the CPU can do is not asked for here.
    if let Err(error) = module::modprobe(alias.trim_end()) {
        if error.is::<Skip>() {
            return Err(error);
        }
        // busybox cuts names off after 255 bytes, and the alias has a number for each feature of the CPU.
        for alias in alias_in_parts(alias.trim_end()).context("another kind of alias")? {
            let _ = module::modprobe(&alias);
        }
    }
    assert!(
        module::references()?.is_some(),
        "no driver was loaded for {alias}"
    );
    assert_all_nodes_work(options)
}

fn is_ebusy_where_configfs_has_an_entry_from_before(options: &Options) -> Result<()> {
    let module = Module::find(options)?;
    module.ensure_loaded()?;
    let entry = Entry::new()?;
    module::unload_when_unused()?;
    let mut log = KernelLog::open()?;
    assert_eq!(module.load()?, Err(Errno::EBUSY));
    let lines = log.lines()?;
    let said = lines
        .iter()
        .any(|line| line.contains("tdx_guest") && line.contains("/sys/kernel/config/tsm/report"));
    assert!(said, "the log says only {lines:?}");
    drop(entry);
    assert_eq!(module.load()?, Ok(()));
    assert_all_nodes_work(options)
}

/// The CPU's alias, `cpu:type:…:feature:,0000,0001,…`, as several with a few features each.
fn alias_in_parts(alias: &str) -> Option<Vec<String>> {
    let (kind, features) = alias.split_once(":feature:,")?;
    let features: Vec<_> = features.split(',').collect();
    Some(
        features
            .chunks(20)
            .map(|part| format!("{kind}:feature:,{}", part.join(",")))
            .collect(),
    )
}
