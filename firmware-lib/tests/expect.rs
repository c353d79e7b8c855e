// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What registers are to be after a boot: which change with what, and how that is explained.

mod common;

#[path = "expect/changes.rs"]
mod changes;
#[path = "expect/disk.rs"]
mod disk;
#[path = "expect/kernel.rs"]
mod kernel;
#[path = "expect/machine.rs"]
mod machine;
#[path = "expect/shim.rs"]
mod shim;
#[path = "expect/support.rs"]
mod support;
#[path = "expect/variables.rs"]
mod variables;
