// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Answering TDCALL.

use crate::memory::MemoryAccess;
use crate::{fatal, ffi, in_place, plugin, ram, vcpu};
use core::ffi::{c_uint, c_void};
use core::fmt;
use core::time::Duration;
use std::thread;
use tdx_call::{Gpa, Registers, Vmcall};
use tdx_module::{
    Answer, Exception, Execution, HostInstruction, InstructionResult, Machine, Outcome, QuoteJob,
    Trace, Unmapped,
};

/// The length of the instruction.
const LENGTH: u64 = 4;

/// Called before a TDCALL that was translated at the address `userdata`.
pub(crate) extern "C" fn on_execution(vcpu_index: c_uint, userdata: *mut c_void) {
    // `set_pc` leaves by `longjmp`, which runs no destructors: all that has one is gone when `answer` has returned.
    if let Some(next) = answer(vcpu_index, userdata.addr() as u64) {
        // SAFETY: The callback is registered as one that may change the PC, and nothing here has a destructor.
        unsafe { ffi::qemu_plugin_set_pc(next) }
    }
    // QEMU goes on to execute the TDCALL. It does not know the instruction, so the guest gets #UD.
}

/// Performs the TDCALL and returns the address of the instruction after it, or nothing if it ends in an exception.
///
/// No lock of this plugin is held meanwhile: what the vCPU's thread uses is its own, and the model says of itself when it
/// sleeps.
fn answer(vcpu_index: u32, translated_at: u64) -> Option<u64> {
    let plugin = plugin::get();
    vcpu::with_current(|vcpu| {
        let address = vcpu.registers.instruction_address(translated_at);
        let may_tdcall = vcpu.registers.may_tdcall(address);
        let machine = Guest::new(&vcpu.memory, may_tdcall);
        let before = vcpu.registers.gprs();
        if let Some(control) = &plugin.control {
            control.count_call(before.rax);
        }
        let mut after = before;
        match plugin::td().tdcall(vcpu_index, &mut after, &machine) {
            Outcome::Completed => {}
            Outcome::Exception(Exception::GeneralProtection) => return None,
            Outcome::Exception(exception) => {
                complain(
                    vcpu_index,
                    address,
                    format_args!("the TD gets #UD instead of {exception:?}"),
                );
                return None;
            }
            Outcome::EptViolation(violation) => {
                // A host would convert the page or end the TD. The one does not happen by itself here and the other hides
                // what was wrong, so the leaf refuses the operand.
                complain(vcpu_index, address, violation);
                violation.refuse(&mut after);
            }
            Outcome::Deferred(instruction) => {
                match plugin
                    .in_place
                    .begin(vcpu_index, vcpu, address, instruction, &before)
                {
                    Ok(_) => return Some(address),
                    Err(in_place::CodeNotWritable) => {
                        complain(
                            vcpu_index,
                            address,
                            format_args!(
                                "the guest's code cannot be overwritten to execute {instruction:?}"
                            ),
                        );
                        return None;
                    }
                }
            }
        }
        vcpu.registers.write_changed(&before, &after);
        Some(address + LENGTH)
    })
}

/// Says what this plugin cannot do as hardware does.
fn complain(vcpu_index: u32, address: u64, what: impl fmt::Display) {
    eprintln!("tdx-qemu-plugin: vCPU {vcpu_index}, TDCALL at {address:#x}: {what}");
}

/// The machine as the model sees it while a vCPU executes TDCALL.
pub(crate) struct Guest<'a> {
    memory: &'a MemoryAccess,
    may_tdcall: bool,
    trace: Option<&'a dyn Trace>,
}

impl<'a> Guest<'a> {
    /// The machine with this memory. `may_tdcall` says whether the vCPU is in a mode in which it may execute TDCALL.
    pub(crate) fn new(memory: &'a MemoryAccess, may_tdcall: bool) -> Self {
        let trace = plugin::get().trace.as_ref();
        Self {
            memory,
            may_tdcall,
            trace: trace.map(|sink| -> &dyn Trace { sink }),
        }
    }
}

impl Machine for Guest<'_> {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        self.memory.read(gpa, buffer)
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        match self.memory.write(gpa, bytes) {
            // Firmware accepts all memory below 1 MiB, and so zeroes it. A PC has its display and ROMs there.
            Err(Unmapped) if ram::LEGACY_HOLE.contains(&gpa.0) => Ok(()),
            result => result,
        }
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn make_quote(&self, job: QuoteJob) -> Result<(), QuoteJob> {
        let time = plugin::td().quote_time();
        plugin::get().quotes.begin(job, time);
        Ok(())
    }

    fn may_tdcall(&self) -> bool {
        self.may_tdcall
    }

    fn vmcall(&self, vcpu: u32, call: &mut Registers) -> Answer {
        match (call.r10, call.r11) {
            (0, Vmcall::REPORT_FATAL_ERROR) => fatal::end(vcpu, call),
            _ => Answer::Default,
        }
    }

    fn execute(&self, _vcpu: u32, instruction: HostInstruction) -> Execution {
        match instruction {
            // A kernel that is booted directly asks for nothing else than a console for its first lines.
            _ if plugin::get().firmware().is_none() => Execution::Refused,
            HostInstruction::MmioRead { gpa, size } => {
                let mut bytes = [0; 8];
                // Nothing answers where there is no device, and reads as ones.
                if self.memory.read(gpa, &mut bytes[..size.into()]).is_err() {
                    bytes = [0xff; 8];
                    bytes[size.into()..].fill(0);
                }
                Execution::Done(InstructionResult::value(u64::from_le_bytes(bytes)))
            }
            HostInstruction::MmioWrite { gpa, size, value } => {
                let bytes = value.to_le_bytes();
                let _ = self.memory.write(gpa, &bytes[..size.into()]);
                Execution::Done(InstructionResult::default())
            }
            _ => Execution::Deferred,
        }
    }

    fn trace(&self) -> Option<&dyn Trace> {
        self.trace
    }
}
