// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench firmware`: the firmware library beside bare hashing, other engines and cctrusted, on this machine and
//! as firmware in a TD.

use std::fs;
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::artefacts::example_image::{used, ExampleImage, Machine};
use crate::artefacts::{host_cargo, pypi};
use crate::progress::Progress;
use crate::setup::Environment;

/// The benchmarks that run on this machine.
const MANIFEST: &str = "firmware-lib/bench/Cargo.toml";

/// The Python that replays with cctrusted.
const PYTHON: &str = "python3";

/// Measures, and prints.
///
/// # Errors
/// When something could not be measured.
pub(super) fn bench(environment: &Environment) -> Result<()> {
    let progress = Progress::new(&environment.paths, 1);
    println!("on this machine");
    userspace(environment, &progress)?;
    println!("\nas firmware in a TD");
    image(environment, &progress)
}

fn userspace(environment: &Environment, progress: &Progress) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(environment.paths.project());
    command.args(["run", "--quiet", "--release", "--manifest-path", MANIFEST]);
    command.arg("--target-dir");
    command.arg(environment.paths.build("firmware-bench"));
    if Command::new(PYTHON).arg("--version").output().is_ok() {
        command.env("PYTHONPATH", pypi::clients(environment, progress)?);
        command.args(["--", "--python", PYTHON]);
    }
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "the benchmarks failed: {status}");
    Ok(())
}

fn image(environment: &Environment, progress: &Progress) -> Result<()> {
    let machine = Machine {
        vcpus: 1,
        memory: 512 << 20,
        control: true,
    };
    let plugin = host_cargo::plugin(&environment.paths, progress)?;
    let counting = ExampleImage::build(environment, Some("count"), progress)?;
    let text = counting.boot(environment, &plugin, machine, progress)?;
    let [bytes, engine, bare] =
        counted(&text).with_context(|| format!("the image counted nothing; it said\n{text}"))?;
    let per_byte = |instructions: u64| instructions as f64 / bytes as f64;
    println!(
        "SHA-384 of {} KiB: the default engine takes {:.3} instructions for a byte, bare sha2 {:.3}: {:.4} of its speed",
        bytes >> 10,
        per_byte(engine),
        per_byte(bare),
        bare as f64 / engine as f64
    );
    let image = ExampleImage::build(environment, None, progress)?;
    let image = fs::read(&image.file)?;
    println!(
        "example image: {} of {} bytes used; allocations: none, it has no heap and links no allocator",
        used(&image),
        image.len()
    );
    Ok(())
}

/// What the image counted: bytes, instructions by the engine, and by sha2 alone.
fn counted(text: &str) -> Option<[u64; 3]> {
    let line = text.lines().find_map(|line| line.strip_prefix("count "))?;
    let mut numbers = line.split_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok().filter(|number| *number > 0);
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn reads_what_the_image_counted() {
        assert_eq!(
            counted("TD\r\ncount 4 20 19\r\nPASS\r\n"),
            Some([4, 20, 19])
        );
        assert_eq!(counted("count 4 20\n"), None);
        assert_eq!(counted("count 0 1 1\n"), None);
    }
}
