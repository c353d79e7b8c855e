// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the image asks of its host: a serial port, and to be reset.

use core::fmt;
use tdx_call::{vp_vmcall, Instruction, Vmcall};

/// The first serial port's data register. QEMU's needs no initialisation.
const SERIAL: u16 = 0x3f8;

/// The reset control register of a PC's chipset, and what resets the machine.
const RESET: u16 = 0xcf9;
const RESET_NOW: u8 = 6;

/// The serial port of this TD.
#[derive(Clone, Copy)]
pub(crate) struct Host(pub(crate) Instruction);

impl Host {
    /// TDG.VP.VMCALL<Instruction.IO>: writes a byte to a port.
    fn out(self, port: u16, value: u8) {
        let call = Vmcall {
            function: Vmcall::IO,
            // One byte, out.
            arguments: [1, 1, port.into(), value.into()],
        };
        // SAFETY: A write to a port changes no memory. Nothing follows from what the host answers.
        let _ = unsafe { vp_vmcall(&self.0, call) };
    }

    /// Resets the machine, which ends this TD.
    pub(crate) fn reset(self) -> ! {
        self.out(RESET, RESET_NOW);
        loop {
            core::hint::spin_loop();
        }
    }
}

impl fmt::Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.out(SERIAL, b'\r');
            }
            self.out(SERIAL, byte);
        }
        Ok(())
    }
}
