// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packages of PyPI, with the Debian root's Python.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha512};

use super::check;
use crate::artefacts::pypi;
use crate::test::context::Which;
use crate::test::verifier::random_reportdata;
use crate::test::{Context, Verdict};
use crate::vm::Guest;

/// The libraries that Python and its modules need beside those that every guest has.
const LIBRARIES: [&str; 4] = [
    "libcrypto.so.3",
    "libexpat.so.1",
    "libffi.so.8",
    "libz.so.1",
];

/// Where our programs are that use the packages.
const SCRIPTS: &str = "userspace-test/clients/python";

/// A TD with Python, the packages and the program `script` of ours, and what a shell does before it runs `python`: then
/// it has the nonce in base64, too, which is how these programs take it.
pub(super) fn guest(
    context: &Context<'_>,
    package: &str,
    script: &str,
    nonce: &[u8],
) -> Result<(Guest, String)> {
    let environment = context.environment;
    let packages = pypi::clients(environment, &context.progress)?;
    let root = &environment.root;
    // A link, such as to `python3.13`, which is what the folder of its library is called, too.
    let python = root.join("usr/bin/python3");
    let version = fs::read_link(&python).context("the Debian root has no Python")?;
    let version = version.to_str().context("a name in UTF-8")?;
    let mut guest = context.guest(&format!("{package} in a TD"), Which::Rust)?;
    guest.files = vec![python, root.join("usr/lib").join(version), packages];
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    guest
        .files
        .extend(LIBRARIES.map(|name| libraries.join(name)));
    let scripts: PathBuf = environment.paths.project().join(SCRIPTS);
    guest.files.push(scripts.join(script));
    guest.files.push(context.verifier()?.write("nonce", nonce)?);
    let prepare = format!(
        "mkdir -p python/lib && mv {version} python/lib && \
         export PYTHONHOME=/root/python PYTHONPATH=/root/pypi LD_LIBRARY_PATH=/root && \
         export PYTHONDONTWRITEBYTECODE=1 && nonce=$(base64 -w 0 nonce) && \
         python() {{ ./python3 \"$@\"; }}"
    );
    Ok((guest, prepare))
}

/// What these programs make REPORTDATA of a nonce.
pub(super) fn hash(nonce: &[u8]) -> [u8; 64] {
    Sha512::digest(nonce).into()
}

/// The verdict, with the version of the package.
fn versioned(context: &Context<'_>, package: &str, verdict: Verdict) -> Result<Verdict> {
    let folder = pypi::clients(context.environment, &context.progress)?;
    let version = pypi::version(&folder, package)?;
    Ok(match verdict {
        Verdict::Passed(seen) => Verdict::Passed(format!("{version}: {seen}")),
        skipped @ Verdict::Skipped(_) => skipped,
    })
}

pub(super) fn pytdxmeasure(context: &Context<'_>) -> Result<Verdict> {
    const PACKAGE: &str = "pytdxmeasure";
    let nonce = random_reportdata()?;
    let (guest, prepare) = guest(context, PACKAGE, "pytdxmeasure_report.py", &nonce)?;
    let reportdata = hash(&nonce);
    let digits = hex::encode(reportdata);
    // Its Quote is for the hash of what it is given. By Linux's ABI it has none, it says.
    let script = format!(
        "{prepare} && python pytdxmeasure_report.py 1.0 {digits} && \
         python pypi/bin/tdx_quote -q -n $nonce -o quote 2>/dev/null && \
         echo quote 1.0 $(od -An -v -tx1 quote | tr -d ' \\n') && \
         rm /dev/tdx-guest && python pytdxmeasure_report.py 1.5 {digits}"
    );
    let output = context.succeed(&guest, &["sh", "-c", &script])?;
    let expected = ["report 1.0", "quote 1.0", "report 1.5"];
    let verdict = check(context, &output, &expected, &reportdata)?;
    versioned(context, PACKAGE, verdict)
}

pub(super) fn cctrusted_vm(context: &Context<'_>) -> Result<Verdict> {
    const PACKAGE: &str = "cctrusted_vm";
    let nonce = random_reportdata()?;
    let (guest, prepare) = guest(context, PACKAGE, "cctrusted.py", &nonce)?;
    // It prefers configfs, and then the ABI of TDX 1.5; that of 1.0 it does not have, it says.
    let script = format!(
        "{prepare} && python cctrusted.py configfs $nonce && \
         umount /sys/kernel/config && python cctrusted.py 1.5 $nonce"
    );
    let output = context.succeed(&guest, &["sh", "-c", &script])?;
    let expected = ["quote configfs", "report 1.5", "quote 1.5"];
    let verdict = check(context, &output, &expected, &hash(&nonce))?;
    versioned(context, PACKAGE, verdict)
}
