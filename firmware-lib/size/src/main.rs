// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What one feature of `tdx-firmware` costs: bytes of code and of stack.
//!
//! `cargo xtask test firmware-size` links this once per feature, with nothing else: no operating system, no C library, no
//! heap. That it links shows that nothing allocates. It is never run; `_start` calls what firmware would call, with
//! operands that the linker cannot know.

#![cfg_attr(panic = "abort", no_std, no_main)]

#[cfg(panic = "abort")]
mod bare;
#[cfg(feature = "hash")]
mod hash;
#[cfg(any(feature = "hob", feature = "tdvf", feature = "pe"))]
mod image;
#[cfg(feature = "predict")]
mod predict;
#[cfg(feature = "reader")]
mod reader;
#[cfg(feature = "writer")]
mod writer;

/// What firmware would call.
///
/// # Safety
///
/// `area` is the caller's alone.
#[allow(dead_code)]
unsafe fn use_features(area: &'static mut [u8]) {
    #[cfg(feature = "hash")]
    hash::run(area);
    #[cfg(feature = "reader")]
    reader::run(area);
    #[cfg(feature = "writer")]
    writer::run(area);
    #[cfg(feature = "hob")]
    image::hob(area);
    #[cfg(feature = "tdvf")]
    image::tdvf(area);
    #[cfg(feature = "pe")]
    image::pe(area);
    #[cfg(feature = "predict")]
    predict::run(area);
    let _ = area;
}

/// Nothing is measured of what is built with unwinding.
#[cfg(not(panic = "abort"))]
fn main() {}
