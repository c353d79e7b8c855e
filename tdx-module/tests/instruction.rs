// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The TDCALL instruction itself, executed in this process.
//!
//! A CPU that is not in a TD raises #UD for it, which the kernel turns into SIGILL. The handler here answers as the TDX
//! module would: it performs the call on the interrupted registers and goes on behind the instruction. So the assembly
//! block of `tdx-call` runs as it is.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::arch::global_asm;
use std::cell::Cell;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::slice;
use std::sync::{Once, OnceLock};
use tdx_call::{
    mr_report, mr_rtmr_extend, mr_verifyreport, vm_rd, vp_info, vp_vmcall, ExtendBuffer, FieldId,
    Gpa, Instruction, Operand, OperandId, OperandMut, Registers, ReportBuffer, ReportDataBuffer,
    ReportMacBuffer, RtmrIndex, Status, Transport, Vmcall, VmcallStatus,
};
use tdx_module::{InProcess, Platform, TdParameters};
use tdx_uapi::{Digest, TdReport};

/// `66 0F 01 CC`.
const TDCALL: [u8; 4] = [0x66, 0x0f, 0x01, 0xcc];

/// The registers of a TDCALL, where a `ucontext` has them.
const PLACES: [libc::c_int; 14] = [
    libc::REG_RAX,
    libc::REG_RBX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The registers of a TDCALL, in the same order.
fn all(registers: &mut Registers) -> [&mut u64; 14] {
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
    } = registers;
    [
        rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15,
    ]
}

/// An answer in which every register has changed.
fn invert(registers: &mut Registers) {
    for register in all(registers) {
        *register = !*register;
    }
}

thread_local! {
    /// What answers this thread's TDCALLs.
    static ANSWER: Cell<fn(&mut Registers)> = const { Cell::new(by_the_model) };
    /// The registers that the handler saw.
    static SEEN: Cell<Registers> = const { Cell::new(Registers::leaf(0)) };
}

fn model() -> &'static InProcess {
    static MODEL: OnceLock<InProcess> = OnceLock::new();
    MODEL
        .get_or_init(|| InProcess::new(TdParameters::default(), Platform::default()).expect("a TD"))
}

fn by_the_model(registers: &mut Registers) {
    // SAFETY: The registers are those of a TDCALL that this process executes, whose caller vouched for its operands.
    unsafe { model().tdcall(registers) };
}

/// Handles SIGILL.
extern "C" fn on_illegal_instruction(
    _: libc::c_int,
    _: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: The kernel passes a `ucontext` to a handler that was installed with SA_SIGINFO, which may change it.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let gregs = &mut context.uc_mcontext.gregs;
    let rip = gregs[libc::REG_RIP as usize];
    let at = ptr::with_exposed_provenance::<u8>(rip as usize);
    // SAFETY: The CPU has just fetched an instruction there, and code segments are padded to whole pages, so that the
    // few bytes behind a shorter one are there as well.
    let code = unsafe { slice::from_raw_parts(at, TDCALL.len()) };
    if code != TDCALL {
        // Not ours: the default action, when the instruction is executed again, ends the process.
        // SAFETY: Changing what SIGILL does is safe anywhere.
        unsafe { libc::signal(libc::SIGILL, libc::SIG_DFL) };
        return;
    }
    let mut registers = Registers::default();
    for (register, place) in all(&mut registers).into_iter().zip(PLACES) {
        *register = gregs[place as usize] as u64;
    }
    SEEN.set(registers);
    // This is no asynchronous signal: the interrupted code is the assembly block, which holds no lock.
    ANSWER.get()(&mut registers);
    for (register, place) in all(&mut registers).into_iter().zip(PLACES) {
        gregs[place as usize] = *register as i64;
    }
    gregs[libc::REG_RIP as usize] = rip + TDCALL.len() as i64;
}

/// Makes TDCALL work in this process.
fn instruction() -> Instruction {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // The model is made here, not within a handler.
        model();
        // SAFETY: A `sigaction` of zeros is one without flags and with an empty mask.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        let handler: extern "C" fn(_, _, _) = on_illegal_instruction;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: The action is a complete one, and the handler has the form that SA_SIGINFO asks for.
        let installed = unsafe { libc::sigaction(libc::SIGILL, &action, ptr::null_mut()) };
        assert_eq!(installed, 0);
    });
    // SAFETY: The handler makes TDCALL do what it does in a TD.
    unsafe { Instruction::assume_td() }
}

/// Executes TDCALL with an answer of the test's.
fn tdcall(registers: &mut Registers, answer: fn(&mut Registers)) {
    ANSWER.set(answer);
    // SAFETY: The answer accesses no memory but the registers.
    unsafe { instruction().tdcall(registers) };
    ANSWER.set(by_the_model);
}

/// Registers with a value of its own in each.
fn distinct() -> Registers {
    let mut registers = Registers::default();
    for (number, register) in all(&mut registers).into_iter().enumerate() {
        *register = 0x1111_1111_1111_1111 * (number as u64 + 1);
    }
    registers
}

#[test]
fn every_register_goes_in_and_comes_out() {
    let before = distinct();
    let mut registers = before;
    tdcall(&mut registers, invert);
    assert_eq!(SEEN.get(), before);
    let mut expected = before;
    invert(&mut expected);
    assert_eq!(registers, expected);
}

#[test]
fn registers_that_are_not_answered_stay() {
    let before = distinct();
    let mut registers = before;
    tdcall(&mut registers, |_| {});
    assert_eq!(registers, before);
}

// Calls RDI with RSI as its argument, with a value in each register that a function must preserve. Returns in RAX which
// of them differ afterwards, one bit each: RBX, RBP, R12, R13, R14, R15, RSP.
global_asm!(
    ".globl tdx_test_changed_by",
    "tdx_test_changed_by:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "sub rsp, 8",
    "mov [rsp], rsp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rbx, 0x1b1b1b1b",
    "mov rbp, 0x1c1c1c1c",
    "mov r12, 0x12121212",
    "mov r13, 0x13131313",
    "mov r14, 0x14141414",
    "mov r15, 0x15151515",
    "call rax",
    "xor eax, eax",
    "xor ecx, ecx",
    "cmp [rsp], rsp",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp r15, 0x15151515",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp r14, 0x14141414",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp r13, 0x13131313",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp r12, 0x12121212",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp rbp, 0x1c1c1c1c",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "cmp rbx, 0x1b1b1b1b",
    "setne cl",
    "lea eax, [rcx + 2 * rax]",
    "add rsp, 8",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
);

unsafe extern "sysv64" {
    fn tdx_test_changed_by(
        call: extern "sysv64" fn(*mut Registers),
        registers: *mut Registers,
    ) -> u64;
}

extern "sysv64" fn call_and_invert(registers: *mut Registers) {
    // SAFETY: The test passes its own registers.
    let registers = unsafe { &mut *registers };
    tdcall(registers, invert);
}

extern "sysv64" fn spoil_r12(_: *mut Registers) {
    // SAFETY: It is not: R12 must be preserved. The only caller checks and restores it.
    unsafe { std::arch::asm!("mov r12, 5", options(nostack, nomem)) };
}

#[test]
fn what_a_function_must_preserve_is_preserved() {
    let mut registers = distinct();
    // SAFETY: The function calls what it is given, and restores what it changes.
    let changed = unsafe { tdx_test_changed_by(call_and_invert, &mut registers) };
    assert_eq!(changed, 0, "RBX, RBP, R12 to R15 and RSP, from bit 0 on");
    assert_eq!(registers.rbx, !distinct().rbx);
}

#[test]
fn the_check_of_what_is_preserved_can_fail() {
    // SAFETY: As above; it restores R12.
    let changed = unsafe { tdx_test_changed_by(spoil_r12, ptr::null_mut()) };
    assert_eq!(changed, 1 << 2);
}

/// The GPA of something in this process.
fn gpa<T>(value: &T) -> Gpa {
    Gpa(ptr::from_ref(value).expose_provenance() as u64)
}

/// Performs `call` until it is not refused as busy: all tests here share one TD, and run side by side.
fn patiently(call: impl FnMut() -> Result<(), tdx_call::Error>) -> Result<(), tdx_call::Error> {
    tdx_call::retry_while_busy(u32::MAX, call)
}

fn report_of(reportdata: [u8; 64]) -> ReportBuffer {
    let mut report = ReportBuffer::ZERO;
    let reportdata = ReportDataBuffer(reportdata);
    let report_gpa = gpa(&report);
    // SAFETY: Addresses are GPAs to the model.
    let mut operand = unsafe { OperandMut::new(&mut report, report_gpa) };
    // SAFETY: As above.
    let reportdata = unsafe { Operand::new(&reportdata, gpa(&reportdata)) };
    patiently(|| mr_report(&instruction(), &mut operand, &reportdata)).expect("a report");
    report
}

#[test]
fn a_report_is_made_and_verified_by_instruction() {
    let report = report_of([0x5a; 64]);
    let parsed = TdReport::parse(&report.0).expect("a report");
    assert_eq!(parsed.mac.reportdata, [0x5a; 64]);

    let mut mac = ReportMacBuffer(report.0[..256].try_into().expect("256 bytes"));
    // SAFETY: Addresses are GPAs to the model.
    let operand = unsafe { Operand::new(&mac, gpa(&mac)) };
    mr_verifyreport(&instruction(), &operand).expect("it holds");
    mac.0[130] ^= 1;
    // SAFETY: As above.
    let operand = unsafe { Operand::new(&mac, gpa(&mac)) };
    let error = mr_verifyreport(&instruction(), &operand).expect_err("it does not hold");
    assert_eq!(error.status(), Status::INVALID_REPORTMACSTRUCT);
}

#[test]
fn a_register_is_extended_by_instruction() {
    // The compiler must not think the store of the digest dead: its only reader is the model.
    let digest = ExtendBuffer([0x77; 48]);
    // SAFETY: Addresses are GPAs to the model.
    let operand = unsafe { Operand::new(&digest, gpa(&digest)) };
    patiently(|| mr_rtmr_extend(&instruction(), RtmrIndex::Rtmr3, &operand)).expect("extended");
    use sha2::{Digest as _, Sha384};
    let expected = Sha384::new().chain_update([0; 48]).chain_update([0x77; 48]);
    assert_eq!(
        model().td().rtmr(RtmrIndex::Rtmr3),
        Digest(expected.finalize().into())
    );
}

#[test]
fn leaves_without_memory_work_by_instruction() {
    let info = vp_info(&instruction()).expect("no failure");
    assert_eq!((info.gpa_width, info.vcpus, info.vcpu_index), (52, 1, 0));
    assert_eq!(vm_rd(&instruction(), FieldId::XFAM), Ok(7));
    let error = vm_rd(&instruction(), FieldId(0x1110_0003_0000_ffff)).expect_err("no field");
    assert_eq!(error.status(), Status::METADATA_FIELD_ID_INCORRECT);
    let call = Vmcall {
        function: Vmcall::SERVICE,
        ..Vmcall::default()
    };
    // SAFETY: The model's host does not know the function.
    let (status, _) = unsafe { vp_vmcall(&instruction(), call) }.expect("no failure");
    assert_eq!(status, VmcallStatus::SUBFUNC_UNSUPPORTED);
}

#[test]
fn a_leaf_that_there_is_not_is_refused_by_instruction() {
    let mut registers = Registers::leaf(0x99);
    // SAFETY: There is no such leaf, so it accesses nothing.
    unsafe { instruction().tdcall(&mut registers) };
    assert_eq!(
        Status(registers.rax),
        Status::operand_invalid(OperandId::RAX)
    );
}

/// Everything of a `Registers` is a register that the handler passes.
const _: () = assert!(mem::size_of::<Registers>() == 8 * PLACES.len());
