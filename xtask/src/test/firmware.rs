// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of the firmware library as firmware links it.

mod image;
mod stack;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{bail, ensure, Context as _, Result};

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::{root_cargo, PROJECT};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "firmware-size",
        about:
            "the firmware library links without anything, and is as small as docs/firmware.md says",
        tier: Tier::Landing,
        run: size,
    },
    Check {
        name: "firmware-c",
        about: "a program in C links the firmware library and measures with it",
        tier: Tier::Landing,
        run: c_program,
    },
    Check {
        name: "firmware-image",
        about: "an image of the firmware library alone measures in a TD as was foreseen",
        tier: Tier::Landing,
        run: image::check,
    },
];

/// The page with the table of sizes.
const PAGE: &str = "docs/firmware.md";

/// What is linked for each row of the table, with cargo's features.
const ROWS: [(&str, &str); 8] = [
    ("nothing", ""),
    ("hash", "hash"),
    ("reader", "reader"),
    ("writer", "writer"),
    ("hob", "hob"),
    ("tdvf", "tdvf"),
    ("pe", "pe"),
    ("predict", "predict"),
];

/// The row of which the stack is not known: it calls what its user gives to it, and that is a pointer to the linker.
const CALLS_BACK: &str = "predict";

/// What the table says of that.
const NOT_KNOWN: &str = "not known";

/// Where a program begins.
const ENTRY: &str = "_start";

/// The target that every machine's tool chain has. The programs use nothing of it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The bytes that the page promises may be more than what is linked by one part in this many, so that it is not out of
/// date.
const SLACK: u64 = 10;

/// Bytes of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    text: u64,
    /// Nothing where it is not known.
    stack: Option<u64>,
}

impl Size {
    /// The stack as the table has it.
    fn stack(&self) -> String {
        self.stack
            .map_or_else(|| NOT_KNOWN.to_owned(), |stack| stack.to_string())
    }
}

fn size(context: &Context<'_>) -> Result<Verdict> {
    let page = fs::read_to_string(context.environment.paths.project().join(PAGE))
        .with_context(|| format!("reading {PAGE}"))?;
    let mut measured = Vec::new();
    for (name, features) in ROWS {
        measured.push((name, link(context, name, features)?));
    }
    let (_, nothing) = measured[0];
    let rows: Vec<_> = measured[1..]
        .iter()
        .map(|(name, size)| {
            (
                *name,
                Size {
                    text: size.text - nothing.text,
                    stack: size.stack,
                },
            )
        })
        .collect();
    let mut table = String::new();
    for (name, size) in &rows {
        writeln!(table, "| `{name}` | {} | {} |", size.text, size.stack())?;
    }
    for (name, size) in &rows {
        let promised = promised(&page, name)
            .with_context(|| format!("{PAGE} has no row for {name}; now it would be\n{table}"))?;
        let fits = |is: u64, promised: u64| is <= promised && promised - is <= promised / SLACK;
        ensure!(
            fits(size.text, promised.text)
                && match (size.stack, promised.stack) {
                    (Some(is), Some(promised)) => fits(is, promised),
                    (is, promised) => is == promised,
                },
            "{name} has {} bytes of code and {} of stack, and {PAGE} says {} and {}; if that is as it should be, \
             its rows are now\n{table}",
            size.text,
            size.stack(),
            promised.text,
            promised.stack()
        );
    }
    let seen: Vec<_> = rows
        .iter()
        .map(|(name, size)| format!("{name} {} + {}", size.text, size.stack()))
        .collect();
    Ok(Verdict::Passed(format!(
        "code + stack: {}",
        seen.join(", ")
    )))
}

/// The row `| name | bytes of code | bytes of stack |` of the page.
fn promised(page: &str, name: &str) -> Option<Size> {
    let row = format!("| `{name}` |");
    let line = page.lines().find(|line| line.starts_with(&row))?;
    let mut cells = line[row.len()..].split('|').map(str::trim);
    Some(Size {
        text: cells.next()?.parse().ok()?,
        stack: match cells.next()? {
            NOT_KNOWN => None,
            stack => Some(stack.parse().ok()?),
        },
    })
}

/// Links the program that uses these features and nothing else. There is no heap that it could link.
fn link(context: &Context<'_>, name: &str, features: &str) -> Result<Size> {
    let mut step = context
        .progress
        .step(&format!("firmware that uses {name}"))?;
    step.run(&mut root_cargo::fetch(
        context.environment,
        root_cargo::MANIFEST,
    ))?;
    let mut cargo = firmware_build(context, "tdx-firmware-size", "rustc")?;
    cargo.args(["--no-default-features", "--features"]);
    cargo.arg(format!("soft,{features}"));
    cargo.args(["--", "-Crelocation-model=static"]);
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-Wl,--gc-sections,--build-id=none",
    ] {
        cargo.arg(format!("-Clink-arg={argument}"));
    }
    // The host's `core` was made for unwinding, and names this without ever calling it.
    cargo.arg("-Clink-arg=-Wl,--defsym=rust_eh_personality=0");
    step.run(&mut cargo)?;

    let mut objdump = built(context).command("objdump");
    objdump.args(["-d", "--no-show-raw-insn", "--section=.text"]);
    let disassembly = step.output(objdump.arg("/built/tdx-firmware-size"))?;
    let mut headers = built(context).command("objdump");
    headers.arg("-h").arg("/built/tdx-firmware-size");
    let headers = step.output(&mut headers)?;
    let text = section_len(&headers, ".text").context("the program has no .text")?;
    let stack = match name {
        CALLS_BACK => None,
        _ => Some(stack::depth(&disassembly, ENTRY)?),
    };
    step.done();
    Ok(Size { text, stack })
}

/// The size of a section, of what `objdump -h` prints.
fn section_len(headers: &str, section: &str) -> Option<u64> {
    let mut lines = headers.lines().map(str::split_whitespace);
    let mut fields = lines.find(|fields| fields.clone().nth(1) == Some(section))?;
    u64::from_str_radix(fields.nth(2)?, 16).ok()
}

/// The root's cargo, to build `package` as firmware has it.
fn firmware_build(context: &Context<'_>, package: &str, subcommand: &str) -> Result<Command> {
    let mut cargo = root_cargo::cargo(context.environment)?;
    cargo.args([subcommand, "--locked", "--package", package]);
    cargo.args(["--profile", "firmware", "--target", TARGET]);
    Ok(cargo)
}

/// The enclosure with what [`firmware_build`] made.
fn built(context: &Context<'_>) -> crate::enclosure::Enclosure {
    let paths = &context.environment.paths;
    let made: PathBuf = paths.build("root-cargo").join(TARGET).join("firmware");
    context
        .environment
        .enclosure()
        .bind_read_only(paths.project(), PROJECT)
        .bind(made, "/built")
}

fn c_program(context: &Context<'_>) -> Result<Verdict> {
    let mut step = context.progress.step("firmware in C")?;
    step.run(&mut root_cargo::fetch(
        context.environment,
        root_cargo::MANIFEST,
    ))?;
    step.run(&mut firmware_build(context, "tdx-firmware-c", "build")?)?;
    let mut gcc = built(context).command("gcc");
    gcc.args([
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        "/built/first_boot",
    ]);
    gcc.arg("-Wl,--gc-sections,--defsym=rust_eh_personality=0");
    gcc.arg(format!("-I{PROJECT}/firmware-lib/c-api/include"));
    gcc.arg(format!("{PROJECT}/firmware-lib/c-api/tests/first_boot.c"));
    gcc.arg("/built/libtdx_firmware_c.a");
    step.run(&mut gcc)?;
    let mut program = built(context).command("timeout");
    let output = step.output(program.args(["60", "/built/first_boot"]))?;
    if !output.contains("the log explains them") {
        bail!("the program in C printed {output}");
    }
    step.done();
    Ok(Verdict::Passed(output.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{promised, section_len, Size};

    #[test]
    fn finds_a_row_of_the_page() {
        let page = "# x\n\n| `hash` | 10 | 20 |\n| `hash2` | 1 | not known |\n";
        assert_eq!(
            promised(page, "hash"),
            Some(Size {
                text: 10,
                stack: Some(20)
            })
        );
        assert_eq!(promised(page, "hash2").map(|size| size.stack), Some(None));
        assert_eq!(promised(page, "writer"), None);
    }

    #[test]
    fn finds_a_section() {
        let headers = "Idx Name  Size  VMA\n  0 .text 0000001f  0000000000201000\n  CONTENTS\n";
        assert_eq!(section_len(headers, ".text"), Some(0x1f));
        assert_eq!(section_len(headers, ".data"), None);
    }
}
