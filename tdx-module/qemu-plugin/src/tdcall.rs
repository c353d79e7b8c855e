// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Answering TDCALL.

use crate::memory::MemoryAccess;
use crate::{fatal, ffi, plugin, vcpu};
use core::ffi::{c_uint, c_void};
use core::fmt;
use core::time::Duration;
use std::thread;
use tdx_call::{Gpa, Registers, Vmcall};
use tdx_module::{Answer, Exception, Machine, Outcome, QuoteJob, Trace, Unmapped};

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
        let machine = Guest {
            memory: &vcpu.memory,
            may_tdcall: vcpu.registers.may_tdcall(address),
            trace: plugin.trace.as_ref().map(|sink| -> &dyn Trace { sink }),
        };
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
struct Guest<'a> {
    memory: &'a MemoryAccess,
    may_tdcall: bool,
    trace: Option<&'a dyn Trace>,
}

impl Machine for Guest<'_> {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        self.memory.read(gpa, buffer)
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        self.memory.write(gpa, bytes)
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

    fn trace(&self) -> Option<&dyn Trace> {
        self.trace
    }
}
