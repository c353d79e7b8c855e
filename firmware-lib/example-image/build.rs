// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Links the program as `image.ld` says: an ELF file whose load addresses are those of the image.

fn main() {
    let script = "image.ld";
    println!("cargo:rerun-if-changed={script}");
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        // The script places parts by the addresses that they are loaded at, which GNU ld does.
        "-fuse-ld=bfd",
        "-Wl,--build-id=none",
        "-Wl,--gc-sections",
        "-Wl,-z,noexecstack",
        "-Wl,--no-warn-rwx-segments",
        // `core` was compiled to unwind; nothing here does.
        "-Wl,--defsym=rust_eh_personality=0",
        "-Wl,--defsym=_Unwind_Resume=0",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T{script}");
}
