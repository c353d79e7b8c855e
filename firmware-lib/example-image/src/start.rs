// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The last page of the image: the TDVF metadata, and the way from the reset vector to Rust.
//!
//! The TDX module starts each vCPU at FFFFFFF0h in flat 32-bit protected mode, with EFER.LME set, the TD HOB's address in
//! ECX and the vCPU's index in ESI (*Intel TDX Virtual Firmware Design Guide*, "TD VCPU Initialization"). TDCALL takes
//! 64-bit mode, and compiled code takes SSE.

use core::arch::global_asm;

use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_64::structures::gdt::DescriptorFlags;
use x86_64::structures::paging::PageTableFlags;

/// What an entry of a page table has that leads to another table.
const TABLE: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

/// What 64-bit mode takes, and SSE.
const CR4: Cr4Flags = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION
    .union(Cr4Flags::OSFXSR)
    .union(Cr4Flags::OSXMMEXCPT_ENABLE);
const CR0: Cr0Flags = Cr0Flags::PAGING.union(Cr0Flags::MONITOR_COPROCESSOR);

// The segments are marked as accessed, so that the CPU does not write into the image.
const _: () = assert!(
    DescriptorFlags::KERNEL_CODE64.contains(DescriptorFlags::ACCESSED)
        && DescriptorFlags::KERNEL_DATA.contains(DescriptorFlags::ACCESSED)
);

global_asm!(
    ".pushsection .last_page, \"ax\", @progbits",
    "last_page:",
    // The TDVF descriptor: what the VMM is to load where.
    "descriptor:",
    ".ascii \"TDVF\"",
    ".long descriptor_end - descriptor, 1, 3",
    // BFV: the whole image, measured into MRTD.
    ".long 0, IMAGE_SIZE",
    ".quad IMAGE, IMAGE_SIZE",
    ".long 0, 1",
    ".long 0, 0",
    ".quad TD_HOB, TD_HOB_SIZE",
    ".long 2, 0",
    // TempMem.
    ".long 0, 0",
    ".quad RAM, RAM_SIZE",
    ".long 3, 0",
    "descriptor_end:",
    //
    ".code32",
    "start:",
    // This firmware uses one vCPU.
    "testl %esi, %esi",
    "jnz park",
    "movl %ecx, %ebp",
    // What is linked for RAM goes there.
    "cld",
    "movl $IMAGE, %esi",
    "movl $RAM, %edi",
    "movl $RAM_IMAGE_SIZE, %ecx",
    "rep movsb",
    // Page tables that map the lower 4 GiB one to one: a PML4, a PDPT, four page directories with pages of 2 MiB.
    // RAM starts as zeros, and so do they.
    "movl $PAGE_TABLES, %edi",
    "leal 0x1000 + {TABLE}(%edi), %eax",
    "movl %eax, (%edi)",
    "leal 0x2000 + {TABLE}(%edi), %eax",
    "movl %eax, 0x1000(%edi)",
    "leal 0x3000 + {TABLE}(%edi), %eax",
    "movl %eax, 0x1008(%edi)",
    "leal 0x4000 + {TABLE}(%edi), %eax",
    "movl %eax, 0x1010(%edi)",
    "leal 0x5000 + {TABLE}(%edi), %eax",
    "movl %eax, 0x1018(%edi)",
    "leal 0x2000(%edi), %ebx",
    "movl ${PAGE}, %eax",
    "movl $2048, %ecx",
    "1:",
    "movl %eax, (%ebx)",
    "addl $8, %ebx",
    "addl $0x200000, %eax",
    "loop 1b",
    "movl %cr4, %eax",
    "orl ${CR4}, %eax",
    "movl %eax, %cr4",
    "movl %edi, %cr3",
    // EM and TS stay clear. EFER.LME was set from the start.
    "movl %cr0, %eax",
    "orl ${CR0}, %eax",
    "movl %eax, %cr0",
    "lgdtl gdt_pointer",
    "ljmpl $8, $start_64",
    "park:",
    "pause",
    "jmp park",
    //
    ".code64",
    "start_64:",
    "movl $16, %eax",
    "movl %eax, %ds",
    "movl %eax, %es",
    "movl %eax, %ss",
    "xorl %eax, %eax",
    "movl %eax, %fs",
    "movl %eax, %gs",
    "movl $STACK_TOP, %esp",
    "movl %ebp, %edi",
    "movl $main, %eax",
    "callq *%rax",
    "ud2",
    //
    ".balign 8",
    "gdt:",
    ".quad 0",
    ".quad {CODE}, {DATA}",
    "gdt_pointer:",
    ".word gdt_pointer - gdt - 1",
    ".long gdt",
    // The table of GUIDed entries, which ends 32 bytes before the image does: the distance of the descriptor from there,
    // e47a6535-984a-4798-865e-4685a7bf8ec2, and 96b582de-1fb2-45f7-baea-a366c55a082d for the table itself.
    ".org 0x1000 - 32 - 40",
    "table:",
    ".long last_page + 0x1000 - descriptor",
    ".word 22",
    ".long 0xe47a6535",
    ".word 0x984a, 0x4798",
    ".byte 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2",
    ".word table_end - table",
    ".long 0x96b582de",
    ".word 0x1fb2, 0x45f7",
    ".byte 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d",
    "table_end:",
    ".org 0xff0",
    ".code32",
    "reset_vector:",
    "jmp start",
    ".org 0x1000",
    ".code64",
    ".popsection",
    TABLE = const TABLE.bits(),
    PAGE = const TABLE.union(PageTableFlags::HUGE_PAGE).bits(),
    CR4 = const CR4.bits(),
    CR0 = const CR0.bits(),
    CODE = const DescriptorFlags::KERNEL_CODE64.bits(),
    DATA = const DescriptorFlags::KERNEL_DATA.bits(),
    options(att_syntax),
);
