// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDG.VP.VMCALL<Instruction.…>: what a TD has its host execute.

use crate::bench::{parameters, vmcall, Bench};
use std::cell::RefCell;
use std::time::Duration;
use tdx_call::{Gpa, Registers, Vmcall, VmcallStatus};
use tdx_module::{
    Execution, HostInstruction, HostPolicy, InstructionResult, Machine, Outcome, Platform, Td,
    Unmapped,
};

const INVALID: u64 = VmcallStatus::INVALID_OPERAND.0;

/// A machine that executes instructions, at once or later, and has no memory.
struct Devices {
    execution: Execution,
    asked: RefCell<Vec<HostInstruction>>,
}

impl Devices {
    fn new(execution: Execution) -> Self {
        Self {
            execution,
            asked: RefCell::default(),
        }
    }
}

impl Machine for Devices {
    fn read(&self, _: Gpa, _: &mut [u8]) -> Result<(), Unmapped> {
        Err(Unmapped)
    }

    fn write(&self, _: Gpa, _: &[u8]) -> Result<(), Unmapped> {
        Err(Unmapped)
    }

    fn sleep(&self, _: Duration) {}

    fn execute(&self, _: u32, instruction: HostInstruction) -> Execution {
        self.asked.borrow_mut().push(instruction);
        self.execution
    }
}

fn td() -> Td {
    Td::new(parameters(), Platform::default(), HostPolicy::default()).unwrap()
}

/// A call whose answer is ready, what it comes to, and what the machine was asked.
fn call(registers: Registers) -> (Registers, Vec<HostInstruction>) {
    let machine = Devices::new(Execution::Done(InstructionResult([11, 12, 13, 14])));
    let mut registers = registers;
    assert_eq!(td().tdcall(0, &mut registers, &machine), Outcome::Completed);
    (registers, machine.asked.into_inner())
}

fn io(size: u64, direction: u64, port: u64, value: u64) -> Registers {
    Registers {
        r14: port,
        r15: value,
        ..vmcall(Vmcall::IO, size, direction)
    }
}

#[test]
fn each_function_asks_for_its_instruction() {
    let mmio = |direction| Registers {
        r14: 0xfee0_0000 | parameters().shared_bit(),
        r15: 7,
        ..vmcall(Vmcall::MMIO, 8, direction)
    };
    let gpa = Gpa(0xfee0_0000);
    let expected = [
        (
            vmcall(Vmcall::CPUID, 0x4_0000_0001, 2),
            HostInstruction::Cpuid {
                leaf: 1,
                subleaf: 2,
            },
        ),
        (
            io(2, 0, 0x1234, 0),
            HostInstruction::PortIn {
                port: 0x1234,
                size: 2,
            },
        ),
        (
            io(4, 1, 0x70, 0x1_0000_0009),
            HostInstruction::PortOut {
                port: 0x70,
                size: 4,
                value: 9,
            },
        ),
        (
            vmcall(Vmcall::RDMSR, 0x1b, 0),
            HostInstruction::ReadMsr { msr: 0x1b },
        ),
        (
            vmcall(Vmcall::WRMSR, 0x1b, u64::MAX),
            HostInstruction::WriteMsr {
                msr: 0x1b,
                value: u64::MAX,
            },
        ),
        (mmio(0), HostInstruction::MmioRead { gpa, size: 8 }),
        (
            mmio(1),
            HostInstruction::MmioWrite {
                gpa,
                size: 8,
                value: 7,
            },
        ),
    ];
    for (registers, instruction) in expected {
        let (after, asked) = call(registers);
        assert_eq!(asked, [instruction]);
        assert_eq!(after.r10, 0);
    }
}

#[test]
fn results_arrive_where_the_ghci_has_them() {
    let (after, _) = call(vmcall(Vmcall::CPUID, 0, 0));
    assert_eq!(
        [after.r12, after.r13, after.r14, after.r15],
        [11, 12, 13, 14]
    );
    for registers in [vmcall(Vmcall::RDMSR, 0x1b, 0), io(1, 0, 0x70, 0)] {
        assert_eq!(call(registers).0.r11, 11);
    }
    let (after, _) = call(io(1, 1, 0x70, 5));
    assert_eq!((after.r11, after.r15), (Vmcall::IO, 5));
}

#[test]
fn bad_operands_reach_no_machine() {
    let private = vmcall(Vmcall::MMIO, 1, 0);
    let refused = [
        io(0, 0, 0x70, 0),
        io(3, 0, 0x70, 0),
        io(8, 0, 0x70, 0),
        io(1, 2, 0x70, 0),
        io(1, 0, 0x1_0000, 0),
        vmcall(Vmcall::MMIO, 16, 0),
        vmcall(Vmcall::MMIO, 4, 2),
        Registers {
            r14: 1 << parameters().gpa_width,
            ..private
        },
        // The TD's own memory.
        Registers {
            r14: parameters().ram[0].range.start,
            ..private
        },
    ];
    for registers in refused {
        let (after, asked) = call(registers);
        assert_eq!((after.r10, asked), (INVALID, vec![]), "{registers:x?}");
    }
}

#[test]
fn a_deferred_call_completes_as_if_it_had_been_answered_at_once() {
    let td = td();
    let machine = Devices::new(Execution::Deferred);
    let before = Registers {
        rbx: 3,
        ..vmcall(Vmcall::CPUID, 1, 0)
    };
    let mut registers = before;
    let Outcome::Deferred(instruction) = td.tdcall(0, &mut registers, &machine) else {
        panic!("the call was not deferred");
    };
    assert_eq!(registers, before);
    let result = InstructionResult([11, 12, 13, 14]);
    td.complete(0, &mut registers, instruction, result, &machine);
    assert_eq!(registers, call(before).0);
}

#[test]
fn a_host_without_devices_refuses() {
    let after = Bench::new().succeed(io(1, 0, 0x70, 0));
    assert_eq!(after.r10, VmcallStatus::SUBFUNC_UNSUPPORTED.0);
}
