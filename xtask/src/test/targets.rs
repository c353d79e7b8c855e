// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks that the libraries build for machines other than this one.

use std::path::Path;

use anyhow::Result;

use super::{Check, Context, Tier, Verdict};
use crate::artefacts::root_cargo;
use crate::setup;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "targets-firmware",
        about: "what firmware links builds for bare metal and for UEFI",
        tier: Tier::All,
        run: firmware,
    },
    Check {
        name: "targets-agent",
        about: "what of the agent checks evidence compiles for aarch64 and for WebAssembly",
        tier: Tier::All,
        run: agent,
    },
];

/// Firmware without and with a UEFI under it.
const FIRMWARE: [&str; 2] = ["x86_64-unknown-none", "x86_64-unknown-uefi"];

/// What firmware links.
const LIBRARIES: [&str; 3] = ["tdx-uapi", "tdx-call", "tdx-firmware"];

/// The source of Rust's own libraries, of which no one compiled `core` for firmware, in the root.
const LIBRARY: &str = "usr/lib/rustlib/src/rust/library/Cargo.toml";

/// What lets a stable cargo compile them.
const ALLOW_BUILD_STD: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// Where evidence may be checked.
struct Elsewhere {
    target: &'static str,
    /// The packages with the standard library for it and, where C is compiled, with what that takes.
    packages: &'static [&'static str],
    /// The agent's features.
    features: &'static str,
}

const ELSEWHERE: [Elsewhere; 2] = [
    Elsewhere {
        target: "aarch64-unknown-linux-gnu",
        packages: &[
            "libstd-rust-dev:arm64",
            "gcc-aarch64-linux-gnu",
            "libc6-dev-arm64-cross",
        ],
        features: "verify",
    },
    // Without signatures: ring takes a C compiler for WebAssembly and an embedder that gives random numbers, and what
    // dcap-qvl has instead of ring takes a newer Rust.
    Elsewhere {
        target: "wasm32-unknown-unknown",
        packages: &["libstd-rust-dev-wasm32"],
        features: "",
    },
];

fn firmware(context: &Context<'_>) -> Result<Verdict> {
    let environment = context.environment;
    let mut step = context.progress.step("libraries for firmware")?;
    let manifest = Path::new(root_cargo::MANIFEST);
    step.run(&mut root_cargo::fetch_for(environment, manifest, &FIRMWARE))?;
    let library = environment.root.join(LIBRARY);
    let mut fetch = root_cargo::fetch_for(environment, &library, &FIRMWARE);
    step.run(fetch.env(ALLOW_BUILD_STD.0, ALLOW_BUILD_STD.1))?;
    let mut cargo = root_cargo::cargo(environment)?;
    cargo.env(ALLOW_BUILD_STD.0, ALLOW_BUILD_STD.1);
    cargo.args([
        "build",
        "--locked",
        "--lib",
        "-Zbuild-std=core",
        "--target-dir",
        "/target/targets",
    ]);
    for target in FIRMWARE {
        cargo.args(["--target", target]);
    }
    for library in LIBRARIES {
        cargo.args(["--package", library]);
    }
    step.run(&mut cargo)?;
    step.done();
    Ok(Verdict::Passed(FIRMWARE.join(", ")))
}

fn agent(context: &Context<'_>) -> Result<Verdict> {
    let environment = context.environment;
    for Elsewhere {
        target,
        packages,
        features,
    } in ELSEWHERE
    {
        setup::packages(environment, packages)?;
        let mut step = context.progress.step(&format!("agent for {target}"))?;
        let manifest = Path::new(root_cargo::MANIFEST);
        step.run(&mut root_cargo::fetch_for(environment, manifest, &[target]))?;
        let mut cargo = root_cargo::cargo(environment)?;
        cargo.env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc");
        cargo.args(["check", "--locked", "--lib", "--package", "tdx-agent"]);
        cargo.args([
            "--no-default-features",
            "--features",
            features,
            "--target",
            target,
        ]);
        step.run(cargo.args(["--target-dir", "/target/targets"]))?;
        step.done();
    }
    Ok(Verdict::Passed(
        ELSEWHERE.map(|elsewhere| elsewhere.target).join(", "),
    ))
}
