// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The registers of the vCPU that is running.
//!
//! QEMU knows registers by handles, found by GDB's names for them. A handle names a register and not a vCPU: what is
//! read is always the register of the vCPU in whose callback the function is called.

mod layout;
mod list;

use self::layout::{from_array, from_bytes, to_array, GPRS, R15, RAX, RBX, RCX, RDX};
use self::list::{Handle, MissingRegister, RegisterList};
use crate::bytes::ByteArray;
use crate::ffi;
use tdx_call::Registers;

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
    cr0: Handle,
    eflags: Handle,
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
            cr0: registers.find(c"cr0", false)?,
            eflags: registers.find(c"eflags", true)?,
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

    /// CR0.
    pub(crate) fn cr0(&mut self) -> u64 {
        self.read(self.cr0)
    }

    /// RFLAGS, of which the arithmetic flags may be out of date.
    pub(crate) fn flags(&mut self) -> u64 {
        self.read(self.eflags)
    }

    /// Sets RFLAGS, but for the arithmetic flags.
    pub(crate) fn set_flags(&mut self, flags: u64) {
        self.write(self.eflags, flags);
    }

    /// Whether the vCPU is at CPL 0.
    pub(crate) fn is_supervisor(&mut self) -> bool {
        // In IA-32e mode the RPL of CS is the CPL.
        self.read(self.cs) & 3 == 0
    }

    /// Whether the vCPU is in 64-bit mode at CPL 0, as TDCALL has to be.
    pub(crate) fn may_tdcall(&mut self, address: u64) -> bool {
        self.is_supervisor() && self.read(self.efer) & EFER_LMA != 0 && self.is_64_bit_mode(address)
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

#[cfg(test)]
mod tests {
    use super::*;

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
