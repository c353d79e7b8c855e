// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What fuzzing found worth keeping, once more.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/reports.rs"]
mod reports;

#[test]
fn corpus_of_reports_and_quotes_holds() {
    for (target, body) in [
        ("td_report", reports::td_report as fn(&[u8])),
        ("quote", reports::quote),
        ("get_quote", reports::get_quote),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/corpus")
            .join(target);
        let files =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let count = files
            .map(|file| body(&fs::read(file.unwrap().path()).unwrap()))
            .count();
        assert!(count > 5, "{target}");
    }
}
