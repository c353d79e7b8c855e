// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What fuzzing found worth keeping, once more.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/boots.rs"]
mod boots;
#[path = "../../fuzz/src/images.rs"]
mod images;
#[path = "../../fuzz/src/logs.rs"]
mod logs;

/// Does it with every file of the corpus, and says how many there are.
fn run(target: &str, body: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| body(&fs::read(file.unwrap().path()).unwrap()))
        .count()
}

#[test]
fn corpus_of_the_event_log_holds() {
    assert!(run("event_log", logs::event_log) > 50);
}

#[test]
fn corpus_of_the_ccel_table_holds() {
    assert!(run("ccel", logs::ccel) > 3);
}

#[test]
fn corpus_of_boots_images_and_the_td_hob_holds() {
    for (target, body) in [
        ("boot", boots::boot as fn(&[u8])),
        ("td_hob", images::td_hob),
        ("tdvf_metadata", images::tdvf_metadata),
        ("pe_hash", images::pe_hash),
        ("variable_store", images::variable_store),
    ] {
        assert!(run(target, body) > 1, "{target}");
    }
}
