// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TDG.VP.INFO.

use crate::{leaf, Error, Registers, Status, Transport};
use tdx_uapi::Attributes;

/// What TDG.VP.INFO tells about the TD and the vCPU that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpInfo {
    /// The width of a guest physical address in bits, the SHARED bit included: it is bit `gpa_width - 1`.
    pub gpa_width: u8,
    /// The TD's attributes.
    pub attributes: Attributes,
    /// How many vCPUs the TD has now.
    pub vcpus: u32,
    /// How many it may have.
    pub max_vcpus: u32,
    /// The index of this vCPU.
    pub vcpu_index: u32,
    /// Whether TDG.SYS.RD is available.
    pub sys_rd: bool,
}

/// TDG.VP.INFO: what the TD and this vCPU are.
///
/// # Errors
///
/// None that the specification names; whatever the TDX module says is returned.
pub fn vp_info(tdx: &impl Transport) -> Result<VpInfo, Error> {
    let mut registers = Registers::leaf(leaf::VP_INFO);
    // SAFETY: The leaf has no memory operand.
    unsafe { tdx.tdcall(&mut registers) };
    Status(registers.rax).into_result()?;
    Ok(VpInfo {
        gpa_width: (registers.rcx & 0x3f) as u8,
        attributes: Attributes(registers.rdx),
        vcpus: low(registers.r8),
        max_vcpus: low(registers.r8 >> 32),
        vcpu_index: low(registers.r9),
        sys_rd: registers.r10 & 1 != 0,
    })
}

/// The low half of a register.
const fn low(register: u64) -> u32 {
    (register & 0xffff_ffff) as u32
}
