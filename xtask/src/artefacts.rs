// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is built from this project, each thing with the tools that it is meant for:
//!
//! | thing | built by | where |
//! | --- | --- | --- |
//! | kernel module | the kernel's Kbuild, rustc and gcc of the Debian root | [`module`] |
//! | C program for the guest, Linux's selftest | the root's gcc | [`c_program`] |
//! | plugin for QEMU, programs for the guest | the machine's cargo | [`host_cargo`] |
//! | example image of the firmware library | the root's cargo and objcopy | [`example_image`] |
//! | packages of PyPI for the guest | nobody; the machine's pip installs them | [`pypi`] |
//! | fuzz targets | the root's cargo and its C++ compiler | [`fuzz_target`] |
//! | formatting, clippy, documentation | the root's cargo, which is the oldest that is supported | [`root_cargo`] |

pub(crate) mod c_program;
pub(crate) mod example_image;
pub(crate) mod firmware_image;
pub(crate) mod fuzz_target;
pub(crate) mod host_cargo;
pub(crate) mod keys;
pub(crate) mod module;
pub(crate) mod pypi;
pub(crate) mod root_cargo;

/// Where the project's source is seen in the root, read-only.
pub(crate) const PROJECT: &str = "/project";
