// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tests that run inside a TD, on a kernel that finds mistakes: KASAN, lockdep, kmemleak and others.

use std::time::Duration;

use anyhow::Result;

use super::context::Which;
use super::{driver, Check, Context, Tier, Verdict};
use crate::setup::{self, Flavour};
use crate::vm::Memory;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "debug-kernel",
    about:
        "the driver passes on a kernel with KASAN, lockdep and kmemleak, which have nothing to say",
    tier: Tier::DebugKernel,
    run: debug_kernel,
}];

/// Several times of what is usual: nothing is fast on that kernel.
const BOOT_LIMIT: Duration = Duration::from_secs(900);
const LIMIT: Duration = Duration::from_secs(3600);

/// Tests that are about how long something takes, which on that kernel is another time.
const TIMED: [&str; 2] = [
    "quotes::are_made_side_by_side",
    "weaknesses::_1_a_quote_of_the_last_moment_is_no_timeout",
];

fn debug_kernel(context: &Context<'_>) -> Result<Verdict> {
    let setup = setup::Options {
        // Built from the source of the kernel that is used otherwise.
        kernel: Some(context.environment.kernel.version.clone()),
        flavour: Some(Flavour::Debug),
        ..context.setup.clone()
    };
    let environment = setup::environment(&setup)?;
    let mut context = Context::new(&environment, &setup);
    context.limit = LIMIT;
    let mut guest = context.guest("driver, debug kernel", Which::Rust)?;
    guest.smp = 2;
    guest.memory = Memory(3072);
    guest.boot_limit = BOOT_LIMIT;
    // With page tables of five levels, an interrupt while Linux identifies the processor a second time, and has forgotten
    // that they have five, makes KASAN take the kernel's memory for none (identify_cpu(), pgtable_l5_enabled()).
    guest.append.push("no5lvl".into());
    guest.extra_modules.push("kmemleak-test".into());
    let mut arguments = vec!["--debug-kernel", "--timeout", "600", "--loads", "10"];
    for test in TIMED {
        arguments.extend(["--skip", test]);
    }
    driver::run(&context, guest, "rust", &arguments)
}
