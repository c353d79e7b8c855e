// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What QEMU's ACPI tables are made of.
//!
//! Source: QEMU's `hw/acpi/bios-linker-loader.c`; edk2's `QemuFwCfgAcpi.c`.

use super::event::Sink;
use super::{ExpectError, What};
use crate::{EventType, HashEngine};
use tdx_call::RtmrIndex;

/// The size of a command in etc/table-loader, and of a file's name in it.
const COMMAND: usize = 128;
const FILE_NAME: usize = 56;

/// The command that has the firmware load a file.
const ALLOCATE: [u8; 4] = 1_u32.to_le_bytes();

/// A file with a part of the ACPI tables.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    /// What it is called, such as etc/acpi/tables.
    pub name: &'a str,
    /// What QEMU has in it, without the addresses that firmware puts in.
    pub contents: &'a [u8],
}

/// The fw_cfg files from which the firmware makes ACPI tables.
#[derive(Clone, Copy, Debug)]
pub struct AcpiBlobs<'a> {
    /// etc/table-loader, which says what to do with the others.
    pub table_loader: &'a [u8],
    /// The others: etc/acpi/rsdp and etc/acpi/tables, with some machines more, in any order.
    pub files: &'a [Blob<'a>],
}

impl<'a> AcpiBlobs<'a> {
    /// The loader is measured first, then each file when the loader asks for it.
    pub(super) fn events<E: HashEngine>(
        &self,
        sink: &mut Sink<'_, 'a, E>,
    ) -> Result<(), ExpectError> {
        let size = self.table_loader.len();
        if size % COMMAND != 0 {
            return Err(ExpectError::TableLoader { found: size });
        }
        let rtmr = RtmrIndex::Rtmr0;
        let event_type = EventType::PLATFORM_CONFIG_FLAGS;
        let what = What::Acpi("etc/table-loader");
        sink.bytes(rtmr, event_type, what, self.table_loader);
        let commands = self.table_loader.chunks_exact(COMMAND).enumerate();
        for (index, command) in commands.filter(|(_, command)| command.starts_with(&ALLOCATE)) {
            let name = &command[ALLOCATE.len()..ALLOCATE.len() + FILE_NAME];
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let file = self
                .files
                .iter()
                .find(|file| file.name.as_bytes() == name)
                .ok_or(ExpectError::AcpiBlob { command: index })?;
            sink.bytes(rtmr, event_type, What::Acpi(file.name), file.contents);
        }
        Ok(())
    }
}
