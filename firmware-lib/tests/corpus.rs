// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What fuzzing found worth keeping, once more.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

/// Does it with every file of the corpus, and says how many there are.
fn run(target: &str, body: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| body(&fs::read(file.unwrap().path()).unwrap()))
        .count()
}

#[test]
fn corpus_of_the_event_log_holds() {
    assert!(run("event_log", bodies::event_log) > 50);
}

#[test]
fn corpus_of_the_ccel_table_holds() {
    assert!(run("ccel", bodies::ccel) > 3);
}
