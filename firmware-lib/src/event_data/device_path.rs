// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a thing is, as UEFI says it.

use super::Ucs2;
use crate::cursor::Cursor;
use crate::Guid;
use core::fmt;
use tdx_uapi::Hex;

/// A path of nodes from the root of all devices on. Displayed as UEFI's text form has it, as far as a TD meets its nodes.
///
/// Source: UEFI specification, "Protocols — Device Path Protocol".
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DevicePath<'a>(pub &'a [u8]);

/// A node of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNode<'a> {
    /// Hardware 1, ACPI 2, messaging 3, media 4, BIOS 5, end 0x7f.
    pub kind: u8,
    /// Depends on the kind.
    pub sub_kind: u8,
    /// Depends on both.
    pub data: &'a [u8],
}

impl<'a> DevicePath<'a> {
    /// The nodes, up to the one that ends the whole path or is broken.
    pub fn nodes(&self) -> impl Iterator<Item = DeviceNode<'a>> + 'a {
        let mut cursor = Cursor::new(self.0);
        core::iter::from_fn(move || {
            let kind = cursor.u8()?;
            let sub_kind = cursor.u8()?;
            let len = cursor.u16()?;
            let data = cursor.take(usize::from(len).checked_sub(4)?)?;
            let node = DeviceNode {
                kind,
                sub_kind,
                data,
            };
            (node.kind != DeviceNode::END || node.sub_kind != 0xff).then_some(node)
        })
    }
}

impl fmt::Display for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes = self.nodes().peekable();
        if nodes.peek().is_none() {
            return f.write_str("nowhere");
        }
        for (at, node) in nodes.enumerate() {
            if at != 0 {
                f.write_str("/")?;
            }
            fmt::Display::fmt(&node, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DeviceNode<'_> {
    const END: u8 = 0x7f;

    /// Writes the node if it is a known one of the right length.
    fn known(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        let mut data = Cursor::new(self.data);
        Some(match (self.kind, self.sub_kind) {
            (1, 1) => {
                let [function, device] = *data.array()?;
                write!(f, "Pci({device:#x},{function:#x})")
            }
            (2, 1) => {
                const PCI_ROOT: u32 = 0x0a03_41d0;
                let hid = data.u32()?;
                let uid = data.u32()?;
                match hid {
                    PCI_ROOT => write!(f, "PciRoot({uid:#x})"),
                    hid => write!(f, "Acpi({hid:#x},{uid:#x})"),
                }
            }
            (3, 2) => {
                let target = data.u16()?;
                let lun = data.u16()?;
                write!(f, "Scsi({target:#x},{lun:#x})")
            }
            (3, 11) => write!(f, "MAC({})", Hex(data.take(6)?)),
            (3, 18) => {
                let port = data.u16()?;
                let multiplier = data.u16()?;
                let lun = data.u16()?;
                write!(f, "Sata({port:#x},{multiplier:#x},{lun:#x})")
            }
            (3, 23) => write!(f, "NVMe({:#x})", data.u32()?),
            (4, 1) => {
                const GPT: [u8; 2] = [2, 2];
                let number = data.u32()?;
                let start = data.u64()?;
                let size = data.u64()?;
                let signature = Guid(*data.array()?);
                match *data.array()? {
                    GPT => write!(f, "HD({number},GPT,{signature},{start:#x},{size:#x})"),
                    _ => write!(f, "HD({number},{start:#x},{size:#x})"),
                }
            }
            (4, 2) => write!(f, "CDROM({:#x})", data.u32()?),
            (4, 3) => write!(f, "VenMedia({})", Guid(*data.array()?)),
            (1, 4) => write!(f, "VenHw({})", Guid(*data.array()?)),
            (3, 10) => write!(f, "VenMsg({})", Guid(*data.array()?)),
            (4, 4) => fmt::Display::fmt(&Ucs2(self.data), f),
            (4, 6) => write!(f, "FvFile({})", Guid(*data.array()?)),
            (4, 7) => write!(f, "Fv({})", Guid(*data.array()?)),
            (Self::END, _) => f.write_str(","),
            _ => return None,
        })
    }
}

impl fmt::Display for DeviceNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known(f) {
            Some(result) => result,
            None => write!(
                f,
                "Path({},{},{})",
                self.kind,
                self.sub_kind,
                Hex(self.data)
            ),
        }
    }
}
