// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The code that brings a vCPU from the state in which QEMU starts it to the one in which the TDX module does.
//!
//! A plugin can set general-purpose registers and the instruction pointer, but no segment's hidden part and no mode. So
//! the vCPU is sent through code that does: from real mode to flat 32-bit protected mode, with the control registers,
//! EFER and the APIC as the TDX module presets them. Then the firmware's own code begins at its reset vector, in the mode
//! that it expects of a TD.
//!
//! Source: TDX module ABI, "Initial state of guest vCPU"; Intel SDM volume 3, "Switching to protected mode".

use core::arch::global_asm;
use core::ptr;
use core::slice;

/// Where the code lies in the guest's memory. A TD has nothing there when it starts: firmware accepts this memory, and so
/// finds it zero.
pub(crate) const ADDRESS: u64 = 0x7000;

// EFER has LME and NXE from the start: TDVF's reset vector leaves EFER alone in a TD, where writing it is not allowed.
// The first vCPU starts the others with an interprocessor interrupt. In a TD they all start at once.
global_asm!(
    ".pushsection .rodata.tdx_stub, \"a\", @progbits",
    ".globl tdx_stub, tdx_stub_end, tdx_stub_size",
    ".hidden tdx_stub, tdx_stub_end, tdx_stub_size",
    ".balign 8",
    "tdx_stub:",
    ".code16",
    "cli",
    "lgdtl {address} + (tdx_stub_gdtr - tdx_stub)",
    // PE and NE.
    "movl $0x21, %eax",
    "movl %eax, %cr0",
    "ljmpl $8, ${address} + (tdx_stub_flat - tdx_stub)",
    ".code32",
    "tdx_stub_flat:",
    "movl $16, %eax",
    "movl %eax, %ds",
    "movl %eax, %es",
    "movl %eax, %fs",
    "movl %eax, %gs",
    "movl %eax, %ss",
    // MCE.
    "movl $0x40, %eax",
    "movl %eax, %cr4",
    // IA32_EFER: NXE, LME, SCE.
    "movl $0xc0000080, %ecx",
    "movl $0x901, %eax",
    "xorl %edx, %edx",
    "wrmsr",
    // IA32_APIC_BASE: x2APIC mode.
    "movl $0x1b, %ecx",
    "rdmsr",
    "orl $0xc00, %eax",
    "wrmsr",
    // Its bit 8: this is the first vCPU.
    "testl $0x100, %eax",
    "jz 1f",
    // The x2APIC's ICR: a start-up IPI to all others, at page FFh.
    "movl $0x830, %ecx",
    "movl $0xc46ff, %eax",
    "xorl %edx, %edx",
    "wrmsr",
    "1:",
    // The TDX module passes it in RDX.
    "movl $1, %eax",
    "cpuid",
    "xorl %ebp, %ebp",
    "xorl %esp, %esp",
    "tdx_stub_end:",
    // Not executed: the vCPU is sent on from here.
    "hlt",
    ".balign 8",
    "tdx_stub_gdt:",
    ".quad 0",
    // Flat segments of 4 GiB, for code and for data.
    ".quad 0x00cf9b000000ffff",
    ".quad 0x00cf93000000ffff",
    "tdx_stub_gdtr:",
    ".word tdx_stub_gdtr - tdx_stub_gdt - 1",
    ".long {address} + (tdx_stub_gdt - tdx_stub)",
    "tdx_stub_size:",
    ".code64",
    ".popsection",
    address = const ADDRESS,
    options(att_syntax),
);

extern "C" {
    static tdx_stub: u8;
    static tdx_stub_end: u8;
    static tdx_stub_size: u8;
}

/// The code, for [`ADDRESS`].
pub(crate) fn code() -> &'static [u8] {
    // SAFETY: The labels are those above: from the one to the other there are constant bytes.
    unsafe { slice::from_raw_parts(&raw const tdx_stub, offset(&raw const tdx_stub_size)) }
}

/// The address of the instruction at which a vCPU has been through the code.
pub(crate) fn end() -> u64 {
    ADDRESS + offset(&raw const tdx_stub_end) as u64
}

/// How far a label is behind the beginning.
fn offset(label: *const u8) -> usize {
    label.addr() - ptr::addr_of!(tdx_stub).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_table_is_where_the_code_says() {
        let code = code();
        let (gdt, gdtr) = code.split_at(code.len() - 6);
        let base = u32::from_le_bytes(*gdtr[2..].first_chunk().unwrap());
        assert_eq!(u64::from(base), ADDRESS + gdt.len() as u64 - 24);
        assert_eq!(gdtr[..2], [23, 0]);
        assert!(end() < base.into());
    }
}
