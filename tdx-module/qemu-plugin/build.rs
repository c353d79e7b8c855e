// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lets the unit tests link without QEMU.

fn main() {
    // QEMU's and glib's functions are found when QEMU loads the plugin. A shared object may leave them open, the program
    // that runs the unit tests may not; none of these tests calls any of them.
    println!("cargo::rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
    println!("cargo::rerun-if-changed=build.rs");
}
