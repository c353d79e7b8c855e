// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TDG.VM.RD and TDG.VM.WR: the TD's metadata.

use crate::{leaf, Error, Registers, Status, Transport};

/// The identifier of a metadata field.
///
/// Source: TDX module ABI, "MD_FIELD_ID" and the TD-scope metadata tables. The TDX module looks a field up by class
/// code (bits 61:56) and field code (bits 23:0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldId(pub u64);

impl FieldId {
    /// ATTRIBUTES, as in the TDREPORT.
    pub const ATTRIBUTES: Self = Self(0x1110_0003_0000_0000);
    /// XFAM, as in the TDREPORT.
    pub const XFAM: Self = Self(0x1110_0003_0000_0001);
    /// CONFIG_FLAGS: bit 0 GPAW, bit 1 FLEXIBLE_PENDING_VE, bit 2 NO_RBP_MOD.
    pub const CONFIG_FLAGS: Self = Self(0x1110_0003_0000_0016);
    /// TD_CTLS: bit 0 PENDING_VE_DISABLE, bit 1 ENUM_TOPOLOGY, bit 3 REDUCE_VE, bit 63 LOCK.
    pub const TD_CTLS: Self = Self(0x1110_0003_0000_0017);
    /// NOTIFY_ENABLES: bit 0, notify of zero-step attacks.
    pub const NOTIFY_ENABLES: Self = Self(0x9100_0000_0000_0010);
    /// TOPOLOGY_ENUM_CONFIGURED: whether the host configured the topology that CPUID shows.
    pub const TOPOLOGY_ENUM_CONFIGURED: Self = Self(0x9100_0000_0000_0019);

    /// The class code, bits 61:56.
    pub const fn class(self) -> u8 {
        ((self.0 >> 56) & 0x3f) as u8
    }

    /// The field code, bits 23:0.
    pub const fn field(self) -> u32 {
        (self.0 & 0x00ff_ffff) as u32
    }
}

/// TDG.VM.RD: reads a metadata field of the TD.
///
/// # Errors
///
/// [`Status::METADATA_FIELD_ID_INCORRECT`] when there is no such field, [`Status::METADATA_FIELD_NOT_READABLE`] when it
/// is not the TD's to read.
pub fn vm_rd(tdx: &impl Transport, field: FieldId) -> Result<u64, Error> {
    let mut registers = Registers {
        rdx: field.0,
        ..Registers::leaf(leaf::VM_RD)
    };
    // SAFETY: The leaf has no memory operand.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result()?;
    Ok(registers.r8)
}

/// TDG.VM.WR: writes the bits of a metadata field that `mask` selects, and returns the field's former value.
///
/// # Errors
///
/// [`Status::METADATA_FIELD_ID_INCORRECT`] when there is no such field, [`Status::METADATA_FIELD_NOT_WRITABLE`] when
/// `mask` selects nothing that the TD may write, [`Status::METADATA_FIELD_VALUE_NOT_VALID`] when the value would change
/// a bit that it may not.
pub fn vm_wr(tdx: &impl Transport, field: FieldId, value: u64, mask: u64) -> Result<u64, Error> {
    let mut registers = Registers {
        rdx: field.0,
        r8: value,
        r9: mask,
        ..Registers::leaf(leaf::VM_WR)
    };
    // SAFETY: The leaf has no memory operand, and no field that a TD may write changes how its memory is accessed.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result()?;
    Ok(registers.r8)
}
