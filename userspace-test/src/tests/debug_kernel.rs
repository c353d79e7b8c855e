// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a kernel that was built to find mistakes has found, in all that was done before.

use crate::harness::{test, Test};
use crate::kernel_log::KernelLog;
use crate::module::{self, Module};
use crate::options::{Driver, Options};
use anyhow::{ensure, Context, Result};
use nix::kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags};
use nix::sys::utsname::uname;
use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    test!(looks_for_mistakes_in_memory_and_locks).only_on_debug_kernel(),
    test!(has_found_no_leak)
        .only(&[Driver::Rust])
        .slow(5)
        .only_on_debug_kernel(),
    test!(finds_leaks)
        .slow(5)
        .kernel_warns()
        .only_on_debug_kernel(),
];

/// Where kmemleak takes orders, and says what it has found.
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

fn looks_for_mistakes_in_memory_and_locks(_: &Options) -> Result<()> {
    let log = KernelLog::whole()?.lines()?;
    let says = |words: &str| log.iter().any(|line| line.contains(words));
    ensure!(says("KernelAddressSanitizer initialized"), "KASAN is off");
    // The first finding, and any lack of memory for what it has to remember, turns lockdep off.
    let lockdep = fs::read_to_string("/proc/lockdep_stats").context("there is no lockdep")?;
    let on = |line: &str| line.trim_start().starts_with("debug_locks:") && line.ends_with('1');
    ensure!(lockdep.lines().any(on), "lockdep is off:\n{lockdep}");
    ensure!(Path::new(KMEMLEAK).exists(), "there is no kmemleak");
    Ok(())
}

/// The leaks that kmemleak sees, as it describes them.
fn leaks() -> Result<String> {
    // An object counts as leaked if nothing refers to it, it has not changed since the last scan, and it is older than
    // five seconds.
    for _ in 0..2 {
        sleep(Duration::from_secs(6));
        fs::write(KMEMLEAK, "scan").context("kmemleak does not scan")?;
    }
    fs::read_to_string(KMEMLEAK).context("kmemleak does not say what it has found")
}

fn has_found_no_leak(options: &Options) -> Result<()> {
    let driver = Module::find(options)?;
    driver.ensure_loaded()?;
    // What nothing but the module refers to is lost when that goes.
    module::unload_when_unused()?;
    let leaks = leaks()?;
    driver.ensure_loaded()?;
    ensure!(leaks.is_empty(), "memory was leaked:\n{leaks}");
    Ok(())
}

/// Has a module of the kernel's own leak, because a kmemleak that finds nothing might be one that looks for nothing.
fn finds_leaks(_: &Options) -> Result<()> {
    let kernel = uname()?.release().to_owned();
    let path = Path::new("/lib/modules")
        .join(kernel)
        .join("kernel/samples/kmemleak/kmemleak-test.ko");
    let file = File::open(&path).with_context(|| format!("there is no {}", path.display()))?;
    finit_module(&file, c"", ModuleInitFlags::empty()).context("kmemleak-test does not load")?;
    let leaks = leaks()?;
    delete_module(c"kmemleak_test", DeleteModuleFlags::O_NONBLOCK)?;
    ensure!(
        leaks.contains("kmemleak_test"),
        "kmemleak does not see what is leaked:\n{leaks}"
    );
    Ok(())
}
