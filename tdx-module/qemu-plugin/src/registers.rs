// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The registers of the vCPU that is running.
//!
//! QEMU knows registers by handles, found by GDB's names for them. A handle names a register and not a vCPU: what is
//! read is always the register of the vCPU in whose callback the function is called.

use crate::bytes::ByteArray;
use crate::ffi;
use core::ffi::CStr;
use core::fmt;
use core::ptr::NonNull;
use std::error::Error;
use tdx_call::Registers;

/// The general-purpose registers of a TDCALL, by GDB's names, in the order of [`to_array`].
const GPRS: [&CStr; 14] = [
    c"rax", c"rbx", c"rcx", c"rdx", c"rsi", c"rdi", c"r8", c"r9", c"r10", c"r11", c"r12", c"r13",
    c"r14", c"r15",
];

/// A register.
#[derive(Clone, Copy)]
struct Handle(NonNull<ffi::qemu_plugin_register>);

/// Where the general-purpose registers that CPUID writes are in [`GPRS`].
const RAX: usize = 0;
const RBX: usize = 1;
const RCX: usize = 2;
const RDX: usize = 3;
/// A register that only 64-bit mode has.
const R15: usize = 13;

/// EFER.LMA: the CPU is in IA-32e mode. Source: Intel SDM volume 3, "Extended Feature Enable Register".
const EFER_LMA: u64 = 1 << 10;

/// What CPUID takes and returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuidRegisters {
    pub(crate) eax: u32,
    pub(crate) ebx: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
}

/// Access to the registers that this plugin uses.
pub(crate) struct RegisterAccess {
    gprs: [Handle; GPRS.len()],
    rip: Handle,
    cs: Handle,
    efer: Handle,
    buffer: ByteArray,
}

impl RegisterAccess {
    /// Finds the registers of the vCPU in whose callback this is called.
    ///
    /// # Errors
    ///
    /// Fails if QEMU does not show a register, or does not let it be written where that is needed.
    pub(crate) fn resolve() -> Result<Self, MissingRegister> {
        let registers = RegisterList::new();
        let mut gprs = [registers.find(GPRS[0], true)?; GPRS.len()];
        for (handle, name) in gprs.iter_mut().zip(GPRS) {
            *handle = registers.find(name, true)?;
        }
        Ok(Self {
            gprs,
            rip: registers.find(c"rip", false)?,
            cs: registers.find(c"cs", false)?,
            efer: registers.find(c"efer", false)?,
            buffer: ByteArray::new(),
        })
    }

    /// The registers of a TDCALL.
    pub(crate) fn gprs(&mut self) -> Registers {
        from_array(self.gprs.map(|handle| self.read(handle)))
    }

    /// Writes those registers of `after` that are not as in `before`.
    pub(crate) fn write_changed(&mut self, before: &Registers, after: &Registers) {
        let changes = to_array(before).into_iter().zip(to_array(after));
        for (handle, (before, after)) in self.gprs.into_iter().zip(changes) {
            if before != after {
                self.write(handle, after);
            }
        }
    }

    /// The arguments of a CPUID: the leaf in EAX, the subleaf in ECX.
    pub(crate) fn cpuid_arguments(&mut self) -> (u32, u32) {
        (
            low_half(self.read(self.gprs[RAX])),
            low_half(self.read(self.gprs[RCX])),
        )
    }

    /// Writes what a CPUID returns, which clears the upper halves of the registers.
    pub(crate) fn write_cpuid(&mut self, result: CpuidRegisters) {
        self.write(self.gprs[RAX], result.eax.into());
        self.write(self.gprs[RBX], result.ebx.into());
        self.write(self.gprs[RCX], result.ecx.into());
        self.write(self.gprs[RDX], result.edx.into());
    }

    /// The address of the instruction that is being executed, which was translated at `translated_at`.
    pub(crate) fn instruction_address(&mut self, translated_at: u64) -> u64 {
        in_current_page(self.read(self.rip), translated_at)
    }

    /// Whether the vCPU is in 64-bit mode at CPL 0, as TDCALL has to be.
    pub(crate) fn may_tdcall(&mut self, address: u64) -> bool {
        // In IA-32e mode the RPL of CS is the CPL.
        self.read(self.cs) & 3 == 0
            && self.read(self.efer) & EFER_LMA != 0
            && self.is_64_bit_mode(address)
    }

    /// Whether a vCPU in IA-32e mode that executes the instruction at `address` is in 64-bit mode.
    ///
    /// QEMU does not show CS.L. Addresses from 4 GiB on exist in 64-bit mode only; below, where boot loaders run, the
    /// mode shows in R15, which outside 64-bit mode reads as zero and ignores writes.
    fn is_64_bit_mode(&mut self, address: u64) -> bool {
        if address > u32::MAX.into() || self.read(self.gprs[R15]) != 0 {
            return true;
        }
        self.write(self.gprs[R15], 1);
        let exists = self.read(self.gprs[R15]) != 0;
        self.write(self.gprs[R15], 0);
        exists
    }

    fn read(&mut self, handle: Handle) -> u64 {
        // SAFETY: The handle is one of QEMU's, and the array is empty and this object's own. That registers may be read
        // here follows from the flags that this plugin's callbacks are registered with.
        let found =
            unsafe { ffi::qemu_plugin_read_register(handle.0.as_ptr(), self.buffer.as_empty()) };
        assert!(found, "QEMU did not let a register be read");
        from_bytes(self.buffer.as_slice())
    }

    fn write(&mut self, handle: Handle, value: u64) {
        let bytes = self.buffer.as_filled(&value.to_le_bytes());
        // SAFETY: As for reading; the array has the eight bytes of a 64-bit register.
        let written = unsafe { ffi::qemu_plugin_write_register(handle.0.as_ptr(), bytes) };
        assert!(written, "QEMU did not let a register be written");
    }
}

/// The value of a register in the bytes that QEMU shows it in: the target's byte order, up to eight of them.
fn from_bytes(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .take(8)
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The half of a register that a 32-bit instruction reads.
fn low_half(value: u64) -> u32 {
    (value & u64::from(u32::MAX)) as u32
}

/// The address of the instruction that was translated at `translated_at`, when RIP was last seen as `rip`.
///
/// QEMU shares translated code between all virtual addresses of a physical page, so the address at translation need not
/// be the one that is now executed: two processes have the same page of a library at two places. RIP is the vCPU's own,
/// but QEMU brings it up to date only now and then, so it may be that of an earlier instruction of the block. The
/// instructions of a block begin in one page. So the page is that of RIP, and the place in it that of the translation.
fn in_current_page(rip: u64, translated_at: u64) -> u64 {
    const IN_PAGE: u64 = 0xfff;
    (rip & !IN_PAGE) | (translated_at & IN_PAGE)
}

/// The registers in the order of [`GPRS`].
fn to_array(registers: &Registers) -> [u64; GPRS.len()] {
    let Registers {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
    } = *registers;
    [
        rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15,
    ]
}

/// What [`to_array`] was made of.
fn from_array(values: [u64; GPRS.len()]) -> Registers {
    let [rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = values;
    Registers {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
    }
}

/// All registers that QEMU shows of the current vCPU.
///
/// # Invariants
///
/// The pointer is to an array of [`ffi::qemu_plugin_reg_descriptor`] that this object holds the only reference to.
struct RegisterList(NonNull<ffi::GArray>);

impl RegisterList {
    fn new() -> Self {
        // SAFETY: The function takes nothing; it is called in the vCPU's context, as it has to be.
        let array = unsafe { ffi::qemu_plugin_get_registers() };
        // INVARIANT: QEMU makes a new array of descriptors for the caller to free.
        Self(NonNull::new(array).expect("QEMU returns an array, if an empty one"))
    }

    /// The register called `name`, which has to be writable if `written`.
    fn find(&self, name: &'static CStr, written: bool) -> Result<Handle, MissingRegister> {
        self.descriptors()
            .iter()
            // SAFETY: Names are C strings that live as long as QEMU.
            .find(|descriptor| unsafe { CStr::from_ptr(descriptor.name) } == name)
            .filter(|descriptor| !(written && descriptor.is_readonly))
            .and_then(|descriptor| NonNull::new(descriptor.handle))
            .map(Handle)
            .ok_or(MissingRegister(name))
    }

    fn descriptors(&self) -> &[ffi::qemu_plugin_reg_descriptor] {
        // SAFETY: The array is alive by the type's invariant, and nothing changes it.
        let (data, len) = unsafe { ((*self.0.as_ptr()).data, (*self.0.as_ptr()).len) };
        if len == 0 {
            return &[];
        }
        // SAFETY: The array has `len` descriptors by the type's invariant, and glib allocates with malloc's alignment.
        unsafe { core::slice::from_raw_parts(data.cast(), len as usize) }
    }
}

impl Drop for RegisterList {
    fn drop(&mut self) {
        // SAFETY: This gives up the one reference that there is, by the type's invariant.
        unsafe { ffi::g_array_unref(self.0.as_ptr()) };
    }
}

/// A register that QEMU does not show, or not as this plugin needs it.
#[derive(Debug)]
pub(crate) struct MissingRegister(&'static CStr);

impl fmt::Display for MissingRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "QEMU shows no usable register {:?}; this plugin needs qemu-system-x86_64 11.1 or newer",
            self.0
        )
    }
}

impl Error for MissingRegister {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_array_correspond() {
        let values: [u64; GPRS.len()] = core::array::from_fn(|index| 0x100 + index as u64);
        assert_eq!(to_array(&from_array(values)), values);
    }

    #[test]
    fn names_and_array_are_in_the_same_order() {
        let at = |name| {
            GPRS.iter().position(|found| *found == name).map(|index| {
                let mut values = [0; GPRS.len()];
                values[index] = 1;
                from_array(values)
            })
        };
        assert_eq!(
            at(c"rax"),
            Some(Registers {
                rax: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rbx"),
            Some(Registers {
                rbx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rcx"),
            Some(Registers {
                rcx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rdx"),
            Some(Registers {
                rdx: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rsi"),
            Some(Registers {
                rsi: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"rdi"),
            Some(Registers {
                rdi: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r8"),
            Some(Registers {
                r8: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r9"),
            Some(Registers {
                r9: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r10"),
            Some(Registers {
                r10: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r11"),
            Some(Registers {
                r11: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r12"),
            Some(Registers {
                r12: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r13"),
            Some(Registers {
                r13: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r14"),
            Some(Registers {
                r14: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            at(c"r15"),
            Some(Registers {
                r15: 1,
                ..Registers::default()
            })
        );
        assert_eq!(
            [GPRS[RAX], GPRS[RBX], GPRS[RCX], GPRS[RDX]],
            [c"rax", c"rbx", c"rcx", c"rdx"]
        );
        assert_eq!(GPRS[R15], c"r15");
    }

    #[test]
    fn a_register_is_little_endian_and_may_be_narrow() {
        assert_eq!(
            from_bytes(&[0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]),
            0x1122_3344_5566_7788
        );
        assert_eq!(from_bytes(&[0x33, 0, 0, 0]), 0x33);
        assert_eq!(from_bytes(&[]), 0);
    }

    #[test]
    fn of_a_wide_register_the_low_half_counts() {
        assert_eq!(low_half(0x1122_3344_5566_7788), 0x5566_7788);
    }

    #[test]
    fn shared_code_is_executed_where_rip_is() {
        assert_eq!(
            in_current_page(0x7f00_7da7_abc4, 0x7fc7_0edb_2bce),
            0x7f00_7da7_abce
        );
        assert_eq!(
            in_current_page(0xffff_ffff_b070_e150, 0xffff_ffff_b070_e16a),
            0xffff_ffff_b070_e16a
        );
    }
}
