// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the selftests do that came with proposals for Linux. Only one of them is in Linux's tree, in another form: see the
//! check `selftest`.

use anyhow::{ensure, Result};

use crate::artefacts::c_program;
use crate::test::context::Which;
use crate::test::{Context, Verdict};

pub(super) fn proposals(context: &Context<'_>) -> Result<Verdict> {
    let program = c_program::build(
        context.environment,
        "/project/userspace-test/clients/proposals.c",
        &["-Werror", "-I/project/uapi/include/uapi"],
        &context.progress,
    )?;
    let mut guest = context.guest("selftests of proposals", Which::Rust)?;
    guest.files.push(program);
    let output = context.succeed(&guest, &["./proposals"])?;
    let text = String::from_utf8_lossy(&output);
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    ensure!(
        text.starts_with("1..5\n") && passed == 5,
        "the program said:\n{text}"
    );
    Ok(Verdict::Passed(format!("{passed} of them")))
}
