// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tests that end in every way that there is, to see that the harness tells them apart: `tests/harness.rs` does.

use super::{test, Skip, Test};
use crate::options::{Driver, Options};
use anyhow::{bail, Result};
use std::process;
use std::thread::{self, sleep};

/// All of them.
pub(crate) const TESTS: &[Test] = &[
    test!(passes),
    test!(passes_in_twice_the_time).slow(4),
    test!(returns_an_error),
    test!(panics),
    test!(panics_in_a_thread),
    test!(is_skipped),
    test!(crashes),
    test!(exits),
    test!(hangs_with_a_child),
    test!(is_known_to_fail).only(KNOWN).c_fails("this is known"),
    test!(fails_in_another_way)
        .only(KNOWN)
        .c_fails("this is known"),
    test!(no_longer_fails).only(KNOWN).c_fails("this is known"),
];

/// The driver of which failures are known.
const KNOWN: &[Driver] = &[Driver::C];

fn passes(_: &Options) -> Result<()> {
    println!("nobody wants to read this");
    Ok(())
}

fn passes_in_twice_the_time(options: &Options) -> Result<()> {
    sleep(options.timeout() * 2);
    Ok(())
}

fn returns_an_error(_: &Options) -> Result<()> {
    bail!("this is the error")
}

fn panics(_: &Options) -> Result<()> {
    panic!("this is the panic")
}

fn panics_in_a_thread(_: &Options) -> Result<()> {
    thread::scope(|scope| {
        scope.spawn(|| panic!("this is the thread's panic"));
    });
    Ok(())
}

fn is_skipped(_: &Options) -> Result<()> {
    bail!(Skip("this is the reason".to_owned()))
}

fn crashes(_: &Options) -> Result<()> {
    process::abort()
}

fn exits(_: &Options) -> Result<()> {
    process::exit(3)
}

/// The child holds the pipe of the test's output open, as a child of a hanging test would.
fn hangs_with_a_child(_: &Options) -> Result<()> {
    process::Command::new("sleep").arg("1000").spawn()?.wait()?;
    Ok(())
}

fn is_known_to_fail(_: &Options) -> Result<()> {
    bail!("this is known")
}

fn fails_in_another_way(_: &Options) -> Result<()> {
    bail!("this is new")
}

fn no_longer_fails(_: &Options) -> Result<()> {
    Ok(())
}
