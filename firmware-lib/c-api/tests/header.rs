// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The C header is the one that cbindgen makes.

use std::fs;
use std::path::Path;

#[test]
fn header_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_src(folder.join("src/engine.rs"))
        .with_src(folder.join("src/measurement.rs"))
        .with_src(folder.join("src/firmware.rs"))
        .with_src(folder.join("src/boot.rs"))
        .with_src(folder.join("src/protocol.rs"))
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let header = folder.join("include/tdx-firmware.h");
    if std::env::var_os("TDX_UPDATE_HEADER").is_some() {
        fs::write(&header, &made).unwrap();
    }
    let found = fs::read_to_string(&header).unwrap_or_default();
    assert!(
        found == made,
        "{} is not what cbindgen makes; TDX_UPDATE_HEADER=1 with this test writes it anew",
        header.display()
    );
}
