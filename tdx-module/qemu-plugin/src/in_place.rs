// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Executes, for the guest, what TDG.VP.VMCALL asks of the host: port I/O, MSRs, CPUID.
//!
//! QEMU's devices and MSRs belong to instructions: a plugin can neither access a port nor read an MSR. So the guest does
//! it itself. The TDCALL is overwritten with the instruction and a UD2, both two bytes long and together as long as the
//! TDCALL; the vCPU executes the instruction with interrupts off, at the UD2 the result is taken and the TDCALL put back,
//! and the guest goes on behind it with its registers as the host left them.
//!
//! The code is shared: another vCPU that comes to the same place meanwhile waits there until the TDCALL is back.
//!
//! QEMU translates code with its page locked, and asks here what is in it; a write to code locks the page, too. So the
//! list is not locked while code is written. A patch is in it before the code is overwritten, and until the TDCALL is back:
//! whoever translates what is in its place finds it there.

use crate::registers::RegisterAccess;
use crate::vcpu::{self, Vcpu};
use crate::{ffi, plugin, tdcall};
use core::ffi::{c_uint, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use tdx_call::Registers;
use tdx_module::{HostInstruction, InstructionResult};

/// TDCALL, and so also what takes its place.
const LENGTH: usize = 4;

/// The length of the instruction that is executed; the UD2 is behind it.
const INSTRUCTION: u64 = 2;

/// UD2. Source: Intel SDM volume 2, "UD - Undefined Instruction".
const UD2: [u8; 2] = [0x0f, 0x0b];

/// RFLAGS.IF: interrupts are on.
const INTERRUPTS: u64 = 1 << 9;

/// How long a vCPU waits before it looks again whether another one has finished.
const PATIENCE: Duration = Duration::from_micros(50);

/// The instructions that are being executed.
pub(crate) struct InPlace {
    /// Held by who writes code, and never by who translates it.
    writing: Mutex<()>,
    active: Mutex<Vec<Patch>>,
    /// Their number, for who asks often.
    count: AtomicUsize,
}

/// A TDCALL that has been overwritten.
#[derive(Clone, Copy)]
struct Patch {
    vcpu: u32,
    /// Its virtual address.
    address: u64,
    /// What was there.
    original: [u8; LENGTH],
    instruction: HostInstruction,
    /// The registers of the TDCALL.
    registers: Registers,
    /// RFLAGS at the TDCALL.
    flags: u64,
}

/// What a place in a patch is.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The instruction.
    Instruction,
    /// The UD2 behind it.
    End,
}

impl InPlace {
    /// None.
    pub(crate) fn new() -> Self {
        Self {
            writing: Mutex::default(),
            active: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Forgets all of them: the machine was reset.
    pub(crate) fn reset(&self) {
        let mut active = lock(&self.active);
        active.clear();
        self.count.store(0, Ordering::Release);
    }

    /// Whether there is one at a virtual address.
    pub(crate) fn place(&self, vaddr: u64) -> Option<Place> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let active = lock(&self.active);
        active
            .iter()
            .find_map(|patch| match vaddr.wrapping_sub(patch.address) {
                0 => Some(Place::Instruction),
                INSTRUCTION => Some(Place::End),
                _ => None,
            })
    }

    /// Has `vcpu` execute `instruction` where its TDCALL at `address` is, with the registers and flags of that TDCALL.
    /// Returns whether it will; if not, somebody else is there, and the vCPU is to try again.
    ///
    /// # Errors
    ///
    /// When the code cannot be overwritten.
    pub(crate) fn begin(
        &self,
        vcpu_index: u32,
        vcpu: &mut Vcpu,
        address: u64,
        instruction: HostInstruction,
        registers: &Registers,
    ) -> Result<bool, CodeNotWritable> {
        let writing = lock(&self.writing);
        if self.is_patched(address) {
            drop(writing);
            thread::sleep(PATIENCE);
            return Ok(false);
        }
        let mut original = [0; LENGTH];
        if !vcpu.memory.read_virtual(address, &mut original) {
            return Err(CodeNotWritable);
        }
        let (code, operands) = encode(instruction, registers);
        let flags = vcpu.registers.flags();
        let mut patched = [0; LENGTH];
        patched[..2].copy_from_slice(&code);
        patched[2..].copy_from_slice(&UD2);
        self.add(Patch {
            vcpu: vcpu_index,
            address,
            original,
            instruction,
            registers: *registers,
            flags,
        });
        if !vcpu.memory.write_virtual(address, &patched) {
            self.remove(address);
            return Err(CodeNotWritable);
        }
        drop(writing);
        vcpu.registers.write_changed(registers, &operands);
        vcpu.registers.set_flags(flags & !INTERRUPTS);
        Ok(true)
    }

    /// The patch at this address that `vcpu` is executing, which ends with that.
    fn end(&self, vcpu_index: u32, address: u64, vcpu: &Vcpu) -> Option<Patch> {
        let patch = self.find(vcpu_index, address)?;
        let _writing = lock(&self.writing);
        vcpu.memory.write_virtual(address, &patch.original);
        self.remove(address);
        Some(patch)
    }

    /// Has QEMU translate the code at an address anew, if it is not patched. QEMU may have translated it when the TDCALL was
    /// back and the patch still in the list, and would keep that; written as it is, the code is translated anew.
    fn refresh(&self, address: u64, vcpu: &Vcpu) {
        let _writing = lock(&self.writing);
        let mut code = [0; LENGTH];
        if !self.is_patched(address) && vcpu.memory.read_virtual(address, &mut code) {
            vcpu.memory.write_virtual(address, &code);
        }
    }

    fn add(&self, patch: Patch) {
        let mut active = lock(&self.active);
        active.push(patch);
        self.count.store(active.len(), Ordering::Release);
    }

    fn remove(&self, address: u64) {
        let mut active = lock(&self.active);
        active.retain(|patch| patch.address != address);
        self.count.store(active.len(), Ordering::Release);
    }

    /// The patch at an address, if it is this vCPU's.
    fn find(&self, vcpu_index: u32, address: u64) -> Option<Patch> {
        let active = lock(&self.active);
        let mut patches = active.iter();
        patches
            .find(|patch| patch.vcpu == vcpu_index && patch.address == address)
            .copied()
    }

    fn is_patched(&self, address: u64) -> bool {
        let active = lock(&self.active);
        active.iter().any(|patch| patch.address == address)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The list is whole after each of its changes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The guest's code is not in memory that can be written.
pub(crate) struct CodeNotWritable;

/// An instruction's two bytes, and the registers to execute it with. Where one byte would do, a prefix that means nothing
/// makes it two.
fn encode(instruction: HostInstruction, registers: &Registers) -> ([u8; 2], Registers) {
    let mut with = *registers;
    let code = match instruction {
        HostInstruction::Cpuid { leaf, subleaf } => {
            (with.rax, with.rcx) = (leaf.into(), subleaf.into());
            [0x0f, 0xa2]
        }
        HostInstruction::ReadMsr { msr } => {
            with.rcx = msr.into();
            [0x0f, 0x32]
        }
        HostInstruction::WriteMsr { msr, value } => {
            (with.rcx, with.rax, with.rdx) = (msr.into(), value & u64::from(u32::MAX), value >> 32);
            [0x0f, 0x30]
        }
        HostInstruction::PortIn { port, size } => {
            (with.rdx, with.rax) = (port.into(), 0);
            [prefix(size), 0xec + u8::from(size > 1)]
        }
        HostInstruction::PortOut { port, size, value } => {
            (with.rdx, with.rax) = (port.into(), value.into());
            [prefix(size), 0xee + u8::from(size > 1)]
        }
        // A plugin accesses devices in memory itself.
        HostInstruction::MmioRead { .. } | HostInstruction::MmioWrite { .. } => [0x3e, 0x90],
    };
    (code, with)
}

/// The operand size prefix for two bytes, else one that says nothing here: the segment DS.
fn prefix(size: u8) -> u8 {
    if size == 2 {
        0x66
    } else {
        0x3e
    }
}

/// What an instruction left in the registers.
fn result(instruction: HostInstruction, registers: &Registers) -> InstructionResult {
    let low = |value: u64| value & u64::from(u32::MAX);
    let Registers {
        rax, rbx, rcx, rdx, ..
    } = *registers;
    match instruction {
        HostInstruction::Cpuid { .. } => InstructionResult([rax, rbx, rcx, rdx].map(low)),
        HostInstruction::ReadMsr { .. } => InstructionResult::value(rdx << 32 | low(rax)),
        // RAX was zero, and a narrow read leaves the rest of it alone.
        HostInstruction::PortIn { .. } => InstructionResult::value(low(rax)),
        _ => InstructionResult::default(),
    }
}

/// Called before the instruction of a patch, which was translated at the address `userdata`.
pub(crate) extern "C" fn on_instruction(vcpu_index: c_uint, userdata: *mut c_void) {
    let next = vcpu::with_current(|vcpu| {
        let address = vcpu.registers.instruction_address(userdata.addr() as u64);
        let in_place = &plugin::get().in_place;
        // It may be another vCPU's, or there is none any more.
        in_place.find(vcpu_index, address).is_none().then(|| {
            thread::sleep(PATIENCE);
            in_place.refresh(address, vcpu);
            address
        })
    });
    if let Some(next) = next {
        // SAFETY: The callback is registered as one that may change the PC, and nothing here has a destructor.
        unsafe { ffi::qemu_plugin_set_pc(next) }
    }
}

/// Called before the UD2 of a patch, which was translated at the address `userdata`.
pub(crate) extern "C" fn on_end(vcpu_index: c_uint, userdata: *mut c_void) {
    if let Some(next) = finish(vcpu_index, userdata.addr() as u64) {
        // SAFETY: The callback is registered as one that may change the PC, and nothing here has a destructor.
        unsafe { ffi::qemu_plugin_set_pc(next) }
    }
}

/// Completes the TDCALL, and returns the address of the instruction behind it.
fn finish(vcpu_index: u32, translated_at: u64) -> Option<u64> {
    vcpu::with_current(|vcpu| {
        let end = vcpu.registers.instruction_address(translated_at);
        let address = end.wrapping_sub(INSTRUCTION);
        let patch = plugin::get().in_place.end(vcpu_index, address, vcpu)?;
        let Vcpu { registers, memory } = vcpu;
        complete(vcpu_index, &patch, registers, memory);
        Some(address + LENGTH as u64)
    })
}

fn complete(
    vcpu_index: u32,
    patch: &Patch,
    registers: &mut RegisterAccess,
    memory: &crate::memory::MemoryAccess,
) {
    let now = registers.gprs();
    let result = result(patch.instruction, &now);
    let mut after = patch.registers;
    let machine = tdcall::Guest::new(memory, true);
    plugin::td().complete(vcpu_index, &mut after, patch.instruction, result, &machine);
    registers.write_changed(&now, &after);
    registers.set_flags(patch.flags);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(instruction: HostInstruction) -> [u8; 2] {
        encode(instruction, &Registers::default()).0
    }

    #[test]
    fn every_access_to_a_port_is_two_bytes_long() {
        let port = 0x70;
        let read = |size| code(HostInstruction::PortIn { port, size });
        assert_eq!(read(1), [0x3e, 0xec]);
        assert_eq!(read(2), [0x66, 0xed]);
        assert_eq!(read(4), [0x3e, 0xed]);
        let value = 0;
        let write = |size| code(HostInstruction::PortOut { port, size, value });
        assert_eq!(write(1), [0x3e, 0xee]);
        assert_eq!(write(2), [0x66, 0xef]);
        assert_eq!(write(4), [0x3e, 0xef]);
    }

    #[test]
    fn an_msr_is_passed_in_two_halves() {
        let write = HostInstruction::WriteMsr {
            msr: 0x10,
            value: 0x1122_3344_5566_7788,
        };
        let (_, with) = encode(write, &Registers::default());
        assert_eq!(
            (with.rcx, with.rax, with.rdx),
            (0x10, 0x5566_7788, 0x1122_3344)
        );
        let read = HostInstruction::ReadMsr { msr: 0x10 };
        assert_eq!(
            result(read, &with),
            InstructionResult::value(0x1122_3344_5566_7788)
        );
    }
}
