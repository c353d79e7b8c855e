// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The model reproduces the TDREPORTs of real machines.

use std::process::ExitCode;
use tdx_call::{mr_report, Gpa, Operand, OperandMut, ReportBuffer, ReportDataBuffer};
use tdx_module::{Generation, InProcess, Platform, TdParameters};
use tdx_uapi::{TdReport, TeeTcbInfo};

fn main() -> ExitCode {
    testdata::run(vec![
        testdata::test(tdx_1_0_report_is_reproduced, ["tdreport-1.0.bin"]),
        testdata::test(tdx_1_5_report_is_reproduced, ["tdreport-1.5.bin"]),
    ])
}

fn tdx_1_0_report_is_reproduced([bytes]: [Vec<u8>; 1]) {
    reproduce(&bytes, Generation::Tdx10);
}

fn tdx_1_5_report_is_reproduced([bytes]: [Vec<u8>; 1]) {
    reproduce(&bytes, Generation::Tdx15);
}

/// Makes the TD that a report is of, and has it make the report again: every byte is the same but for those of the MAC,
/// hashes included, which are not among the parameters.
fn reproduce(bytes: &[u8], generation: Generation) {
    let real = TdReport::parse(bytes).expect("a TDREPORT");
    assert_eq!(
        real.tee_tcb_info.valid.get() == TeeTcbInfo::VALID_1_5,
        generation == Generation::Tdx15
    );
    let td = &real.td_info;
    let parameters = TdParameters {
        attributes: td.attributes(),
        xfam: td.xfam(),
        mrtd: td.mrtd,
        mr_config_id: td.mr_config_id,
        mr_owner: td.mr_owner,
        mr_owner_config: td.mr_owner_config,
        rtmr: td.rtmr,
        servtd_hash: (real.mac.report_type.version == 1).then_some(td.servtd_hash),
        ..TdParameters::default()
    };
    let platform = Platform {
        generation,
        cpu_svn: real.mac.cpu_svn,
        tee_tcb_svn: real.tee_tcb_info.tee_tcb_svn,
        tee_tcb_svn2: real.tee_tcb_info.tee_tcb_svn2,
        mr_seam: real.tee_tcb_info.mr_seam,
        mr_signer_seam: real.tee_tcb_info.mr_signer_seam,
        ..Platform::default()
    };
    let tdx = InProcess::new(parameters, platform).expect("a TD");

    let reportdata = ReportDataBuffer(real.mac.reportdata);
    let mut made = ReportBuffer::ZERO;
    let (data_gpa, report_gpa) = (
        Gpa((&raw const reportdata).expose_provenance() as u64),
        Gpa((&raw mut made).expose_provenance() as u64),
    );
    // SAFETY: The model's memory is this process, so an address is the guest physical one.
    let reportdata = unsafe { Operand::new(&reportdata, data_gpa) };
    // SAFETY: As above.
    let mut report = unsafe { OperandMut::new(&mut made, report_gpa) };
    mr_report(&tdx, &mut report, &reportdata).expect("a report");

    let made = report.get().0;
    assert_eq!(made[..224], bytes[..224], "REPORTMACSTRUCT up to its MAC");
    assert_ne!(
        made[224..256],
        bytes[224..256],
        "the MAC is a real platform's"
    );
    assert_eq!(made[256..], bytes[256..], "TEE_TCB_INFO and TDINFO");
}
