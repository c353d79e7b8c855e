// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tests of the lock of the runtime measurement registers, which only another vCPU in the middle of a leaf can hold.

extern crate std;

use crate::{
    HostPolicy, Machine, Outcome, Platform, RamRange, RamState, Td, TdParameters, Unmapped,
};
use core::time::Duration;
use std::vec;
use tdx_call::{leaf, Gpa, OperandId, Registers, Status};

/// Memory that has zeros and forgets.
struct Zeros;

impl Machine for Zeros {
    fn read(&self, _: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        buffer.fill(0);
        Ok(())
    }

    fn write(&self, _: Gpa, _: &[u8]) -> Result<(), Unmapped> {
        Ok(())
    }

    fn sleep(&self, _: Duration) {
        panic!("a call that finds a lock taken does not wait");
    }
}

const BUSY: Status = Status::operand_busy(OperandId::RTMR);

fn td() -> Td {
    let parameters = TdParameters {
        ram: vec![RamRange {
            range: 0..0x1_0000,
            state: RamState::Accepted,
        }],
        ..TdParameters::default()
    };
    let platform = Platform {
        report_time: Duration::from_secs(1),
        ..Platform::default()
    };
    Td::new(parameters, platform, HostPolicy::default()).expect("a TD")
}

#[track_caller]
fn status(td: &Td, leaf: u64, rcx: u64, rdx: u64, r8: u64) -> Status {
    let mut registers = Registers {
        rcx,
        rdx,
        r8,
        ..Registers::leaf(leaf)
    };
    assert_eq!(td.tdcall(0, &mut registers, &Zeros), Outcome::Completed);
    Status(registers.rax)
}

#[test]
fn a_report_is_refused_while_a_register_is_extended() {
    let td = td();
    let _extending = td.rtmr.write();
    assert_eq!(status(&td, leaf::MR_REPORT, 0x1000, 0x2000, 0), BUSY);
    assert_eq!(BUSY.0, 0x8000_0200_0000_00a8);
}

#[test]
fn the_lock_comes_after_the_subtype_and_before_the_reports_page() {
    let td = td();
    let _extending = td.rtmr.write();
    let subtype = status(&td, leaf::MR_REPORT, 0x1000, 0x2000, 1);
    assert_eq!(subtype, Status::operand_invalid(OperandId::R8));
    assert_eq!(status(&td, leaf::MR_REPORT, 1 << 60, 0x2000, 0), BUSY);
}

#[test]
fn an_extension_is_refused_while_a_report_is_made() {
    let td = td();
    let _reporting = td.rtmr.read();
    assert_eq!(status(&td, leaf::MR_RTMR_EXTEND, 0x1000, 3, 0), BUSY);
    let index = status(&td, leaf::MR_RTMR_EXTEND, 0x1000, 4, 0);
    assert_eq!(index, Status::operand_invalid(OperandId::RDX));
}

#[test]
fn an_extension_is_refused_while_another_is_made() {
    let td = td();
    let _extending = td.rtmr.write();
    assert_eq!(status(&td, leaf::MR_RTMR_EXTEND, 0x1000, 3, 0), BUSY);
}

#[test]
fn a_report_is_not_refused_while_another_is_made() {
    let td = td();
    td.set_report_time(Duration::ZERO);
    let _reporting = td.rtmr.read();
    assert_eq!(
        status(&td, leaf::MR_REPORT, 0x1000, 0x2000, 0),
        Status::SUCCESS
    );
}
