// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD with memory to test on.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;
use tdx_call::{leaf, Gpa, Registers, Status, Vmcall};
use tdx_module::{
    Answer, EptViolation, HostPolicy, Machine, Outcome, Platform, RamRange, RamState, Td,
    TdParameters, Trace, TracedCall, Unmapped,
};

/// The memory of the test TD: 8 MiB from 0, of which the last 4 MiB are pending.
pub(crate) const RAM: Range<u64> = 0..0x80_0000;
/// Where pending memory begins.
pub(crate) const PENDING: u64 = 0x40_0000;
/// The SHARED bit of the test TD.
pub(crate) const SHARED: u64 = 1 << 51;

/// Memory, and a record of what else the model asked of the machine.
pub(crate) struct Ram {
    bytes: Mutex<Vec<u8>>,
    /// A page that cannot be written.
    pub(crate) read_only: Cell<Option<u64>>,
    pub(crate) in_64_bit_mode: Cell<bool>,
    pub(crate) slept: RefCell<Vec<Duration>>,
    /// What the host does, if it is not the default one.
    pub(crate) host: Option<fn(&mut Registers)>,
    pub(crate) lines: Option<Lines>,
}

/// A trace in memory.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) lines: RefCell<Vec<String>>,
    pub(crate) without: Option<u64>,
}

impl Trace for Lines {
    fn line(&self, line: fmt::Arguments<'_>) {
        self.lines.borrow_mut().push(line.to_string());
    }

    fn wants(&self, call: &TracedCall) -> bool {
        self.without.is_none() || call.vmcall() != self.without
    }
}

impl Ram {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Mutex::new(vec![0; RAM.end as usize]),
            read_only: Cell::new(None),
            in_64_bit_mode: Cell::new(true),
            slept: RefCell::default(),
            host: None,
            lines: None,
        }
    }

    /// Some bytes of memory.
    pub(crate) fn get<const N: usize>(&self, gpa: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.read(Gpa(gpa), &mut bytes).expect("memory");
        bytes
    }

    /// Changes memory.
    pub(crate) fn put(&self, gpa: u64, bytes: &[u8]) {
        self.write(Gpa(gpa), bytes).expect("memory");
    }

    fn range(gpa: Gpa, length: usize) -> Result<Range<usize>, Unmapped> {
        let end = gpa.0.checked_add(length as u64).ok_or(Unmapped)?;
        if end > RAM.end {
            return Err(Unmapped);
        }
        Ok(gpa.0 as usize..end as usize)
    }
}

impl Machine for Ram {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        let range = Self::range(gpa, buffer.len())?;
        buffer.copy_from_slice(&self.bytes.lock().unwrap()[range]);
        Ok(())
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        let range = Self::range(gpa, bytes.len())?;
        if self.read_only.get() == Some(gpa.0 & !0xfff) {
            return Err(Unmapped);
        }
        self.bytes.lock().unwrap()[range].copy_from_slice(bytes);
        Ok(())
    }

    fn sleep(&self, time: Duration) {
        self.slept.borrow_mut().push(time);
    }

    fn may_tdcall(&self) -> bool {
        self.in_64_bit_mode.get()
    }

    fn vmcall(&self, _: u32, call: &mut Registers) -> Answer {
        match self.host {
            Some(host) => {
                host(call);
                Answer::Given
            }
            None => Answer::Default,
        }
    }

    fn trace(&self) -> Option<&dyn Trace> {
        self.lines.as_ref().map(|lines| -> &dyn Trace { lines })
    }
}

/// A TD and its machine.
pub(crate) struct Bench {
    pub(crate) td: Td,
    pub(crate) ram: Ram,
}

/// The parameters of the test TD.
pub(crate) fn parameters() -> TdParameters {
    TdParameters {
        vcpus: 2,
        max_vcpus: 4,
        ram: vec![
            RamRange {
                range: RAM.start..PENDING,
                state: RamState::Accepted,
            },
            RamRange {
                range: PENDING..RAM.end,
                state: RamState::Pending,
            },
        ],
        ..TdParameters::default()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(parameters(), Platform::default(), HostPolicy::default())
    }

    pub(crate) fn with(parameters: TdParameters, platform: Platform, host: HostPolicy) -> Self {
        Self {
            td: Td::new(parameters, platform, host).expect("a TD"),
            ram: Ram::new(),
        }
    }

    /// Calls a leaf that completes; the registers that come out.
    #[track_caller]
    pub(crate) fn call(&self, mut registers: Registers) -> Registers {
        let outcome = self.td.tdcall(0, &mut registers, &self.ram);
        assert_eq!(outcome, Outcome::Completed);
        registers
    }

    /// Calls a leaf; its status.
    #[track_caller]
    pub(crate) fn status(&self, registers: Registers) -> Status {
        Status(self.call(registers).rax)
    }

    /// Calls a leaf that succeeds; the registers that come out.
    #[track_caller]
    pub(crate) fn succeed(&self, registers: Registers) -> Registers {
        let after = self.call(registers);
        assert_eq!(Status(after.rax), Status::SUCCESS);
        after
    }

    /// Calls a leaf that ends in an EPT violation.
    #[track_caller]
    pub(crate) fn violation(&self, registers: Registers) -> EptViolation {
        let mut after = registers;
        match self.td.tdcall(0, &mut after, &self.ram) {
            Outcome::EptViolation(violation) => {
                assert_eq!(after, registers, "no register changes");
                violation
            }
            outcome => panic!("an EPT violation, not {outcome:?}"),
        }
    }

    /// MapGPA; R10 and R11.
    #[track_caller]
    pub(crate) fn map_gpa(&self, start: u64, size: u64) -> (u64, u64) {
        let after = self.succeed(vmcall(Vmcall::MAP_GPA, start, size));
        (after.r10, after.r11)
    }

    /// MapGPA that succeeds at once.
    #[track_caller]
    pub(crate) fn map(&self, start: u64, size: u64) {
        assert_eq!(self.map_gpa(start, size).0, 0);
    }

    /// What the trace has.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.ram.lines.as_ref().expect("a trace");
        lines.lines.borrow().clone()
    }
}

/// The registers of a TDG.VP.VMCALL that exposes R10 to R15.
pub(crate) fn vmcall(function: u64, r12: u64, r13: u64) -> Registers {
    Registers {
        rcx: Vmcall::MASK,
        r11: function,
        r12,
        r13,
        ..Registers::leaf(leaf::VP_VMCALL)
    }
}

/// The registers of a leaf with operands in RCX, RDX and R8.
pub(crate) fn leaf(leaf: u64, rcx: u64, rdx: u64, r8: u64) -> Registers {
    Registers {
        rcx,
        rdx,
        r8,
        ..Registers::leaf(leaf)
    }
}
