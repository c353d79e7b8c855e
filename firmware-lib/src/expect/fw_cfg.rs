// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The fw_cfg files that edk2 measures as it caches them.

/// A file of QEMU's fw_cfg.
#[derive(Clone, Copy, Debug)]
pub struct FwCfgFile<'a> {
    /// What it is called. `BootMenu` is that item, which QEMU gives by number.
    pub name: &'a str,
    /// What is in it.
    pub contents: &'a [u8],
}

/// What is measured of QEMU's fw_cfg files.
#[derive(Clone, Copy, Debug, Default)]
pub enum FwCfg<'a> {
    /// Nothing: edk2 before its stable202505.
    NotMeasured,
    /// Something that is not known.
    #[default]
    Unknown,
    /// Those of these files that the firmware caches, in its own order. Others may be among them.
    Files(&'a [FwCfgFile<'a>]),
}

/// The files that edk2 measures where they exist, in the order in which it does, each with the size that it must have.
///
/// Source: edk2's `OvmfPkg/Library/QemuFwCfgLib/QemuFwCfgCacheInit.c`.
pub const MEASURED_FW_CFG: [(&str, Option<usize>); 6] = [
    ("etc/extra-pci-roots", Some(8)),
    ("BootMenu", Some(2)),
    ("etc/boot-menu-wait", Some(2)),
    ("etc/reserved-memory-end", Some(8)),
    ("opt/ovmf/X-PciMmio64Mb", None),
    ("bootorder", None),
];

/// Those of `files` that are measured, in the order in which they are.
pub(super) fn measured<'a>(files: &'a [FwCfgFile<'a>]) -> impl Iterator<Item = FwCfgFile<'a>> {
    MEASURED_FW_CFG.iter().filter_map(|(name, size)| {
        files.iter().copied().find(|file| {
            file.name == *name
                && !file.contents.is_empty()
                && size.is_none_or(|size| size == file.contents.len())
        })
    })
}
