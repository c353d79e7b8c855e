// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fuzz targets of `fuzz/`, built in the Debian root with its rustc and C++ compiler.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::root_cargo;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::setup::{self, Environment};

/// The manifest, from the project's folder.
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Named, so that build scripts and macros are not built with the flags.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What the root needs beside what every root has: the C++ compiler for libFuzzer, and the tools of rustc's own LLVM that
/// read what a program says of its coverage.
const PACKAGES: [&str; 2] = ["g++", "llvm"];

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instrumented {
    /// libFuzzer's counters and comparisons, with the flags that cargo-fuzz gives for them.
    ForFuzzing,
    /// Which lines were run.
    ForCoverage,
}

impl Instrumented {
    /// The folder of what is built, and the flags for rustc.
    fn folder_and_flags(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::ForFuzzing => (
                "fuzz",
                &[
                    "--cfg=fuzzing",
                    "-Cpasses=sancov-module",
                    "-Cllvm-args=-sanitizer-coverage-level=4",
                    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
                    "-Cllvm-args=-sanitizer-coverage-pc-table",
                    "-Cllvm-args=-sanitizer-coverage-trace-compares",
                    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
                    "-Ccodegen-units=1",
                ],
            ),
            Self::ForCoverage => ("fuzz-coverage", &["-Cinstrument-coverage"]),
        }
    }
}

/// The manifest, as far as it says which targets there are and what they read.
#[derive(Debug, Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Debug, Deserialize)]
struct Package {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    parsers: BTreeMap<String, Vec<String>>,
}

/// The targets by name, each with the source files of its parser, from the project's folder.
pub(crate) fn targets(paths: &Paths) -> Result<BTreeMap<String, Vec<String>>> {
    let text = fs::read_to_string(paths.project().join(MANIFEST))
        .with_context(|| format!("reading {MANIFEST}"))?;
    let manifest: Manifest =
        toml::from_str(&text).with_context(|| format!("{MANIFEST} is not understood"))?;
    Ok(manifest.package.metadata.parsers)
}

/// Builds all targets, and gives the folder that they are in.
pub(crate) fn build(
    environment: &Environment,
    instrumented: Instrumented,
    progress: &Progress,
) -> Result<PathBuf> {
    setup::packages(environment, &PACKAGES)?;
    let (folder, flags) = instrumented.folder_and_flags();
    let mut step = progress.step(&format!("targets, {folder}"))?;
    step.run(&mut root_cargo::fetch(environment, MANIFEST))?;
    let mut cargo = root_cargo::cargo(environment)?;
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--manifest-path",
        MANIFEST,
    ]);
    cargo.args([
        "--target",
        TRIPLE,
        "--target-dir",
        &format!("/target/{folder}"),
    ]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    step.run(&mut cargo)?;
    step.done();
    let built = environment.paths.build(root_cargo::TARGET).join(folder);
    Ok(built.join(TRIPLE).join("release"))
}
