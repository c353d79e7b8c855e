// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tests that need real data: reports, quotes and logs of machines, which have other owners and are not copied into this
//! repository.
//!
//! The data is read from the folder that the environment variable `TDX_TESTDATA` names, by default from
//! `shared/testdata` beside the repository. Where that folder is absent, the tests that need it are reported as
//! `ignored` with the reason, each under its name; with `CI` set they fail instead, so that a machine that is to have
//! the data cannot lose it unnoticed. A file that is missing from a folder that is there is always a failure.
//!
//! Such tests live in a file of their own in a crate's `tests/`, with `harness = false` in its Cargo.toml:
//!
//! ```no_run
//! fn report_is_1024_bytes([report]: [Vec<u8>; 1]) {
//!     assert_eq!(report.len(), 1024);
//! }
//!
//! testdata::run(vec![testdata::test(report_is_1024_bytes, ["tdreport-1.0.bin"])]);
//! ```

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The variable that names the folder.
const VARIABLE: &str = "TDX_TESTDATA";

/// The folder, whether it is there or not.
pub fn folder() -> PathBuf {
    env::var_os(VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/testdata"),
        PathBuf::from,
    )
}

/// A test that is given the contents of `files`, in that order, and is named as its function is.
pub fn test<F, const N: usize>(run: F, files: [&'static str; N]) -> Trial
where
    F: Fn([Vec<u8>; N]) + Send + 'static,
{
    let path = std::any::type_name_of_val(&run);
    let name = path.rsplit("::").next().unwrap_or(path).to_owned();
    Trial::ignorable_test(name, move || {
        let folder = folder();
        if !folder.is_dir() {
            let reason = format!(
                "there is no folder {}; {VARIABLE} names another",
                folder.display()
            );
            return match env::var_os("CI").filter(|value| !value.is_empty()) {
                Some(_) => Err(Failed::from(reason)),
                None => Ok(Completion::ignored_with(reason)),
            };
        }
        run(files.map(|file| {
            let path = folder.join(file);
            fs::read(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        }));
        Ok(Completion::Completed)
    })
}

/// Runs `tests` as the command line says, in the manner of `cargo test`: what `main` of such a file returns.
pub fn run(tests: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
