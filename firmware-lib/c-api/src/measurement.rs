// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx_measurement`: made, and the primitive.

use core::{ptr, slice as core_slice};
use spin::{Mutex, MutexGuard};
use tdx_call::{
    Error, ExtendBuffer, Gpa, Instruction, OperandMut, Registers, RtmrIndex, Transport,
};
use tdx_firmware::event_log::{LogWriter, OpenError};
use tdx_firmware::measurement::Recorded;
use tdx_firmware::{EventType, HashEngine, Measurement};
use tdx_uapi::Digest;

use crate::arguments::slice;
use crate::engine::{tdx_hash_engine, Engine, Functions};

/// Registers, hash engine and log, to measure with. Made by `tdx_measurement_init`; then its address must not change, and
/// nobody but these functions touches it.
#[repr(C, align(64))]
pub struct tdx_measurement {
    /// Where TDG.MR.RTMR.EXTEND reads.
    extend_buffer: [u8; 64],
    state: [u64; 40],
}

/// What became of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum tdx_result {
    /// The register was extended, and the event is in the log.
    TDX_LOGGED = 0,
    /// The register was extended, but the log had no room for this event or an earlier one.
    TDX_TRUNCATED = 1,
    /// An argument is not valid; nothing was done.
    TDX_INVALID = 2,
    /// The log's area is too small for its header; nothing was done.
    TDX_NO_ROOM = 3,
    /// There is no log in the area to go on with, or it is broken; nothing was done.
    TDX_NO_LOG = 4,
    /// The TDX module refused to extend; neither register nor log were changed by that event.
    TDX_REFUSED = 5,
}

/// The registers of a TDCALL that TDG.MR.RTMR.EXTEND uses.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tdx_registers {
    /// The leaf, then the completion status.
    pub rax: u64,
    /// Operand.
    pub rcx: u64,
    /// Operand.
    pub rdx: u64,
    /// Operand.
    pub r8: u64,
}

/// What to measure with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tdx_config {
    /// The log's area, private memory of the TD's. TDVF's has 65536 bytes.
    pub log_area: *mut u8,
    /// How many bytes it has.
    pub log_area_len: usize,
    /// What is to be added to an address of the program, modulo 2⁶⁴, to get a guest physical address: 0 where memory is
    /// mapped one to one.
    pub gpa_offset: u64,
    /// Where SHA-384 comes from; null for the library's own.
    pub engine: *const tdx_hash_engine,
    /// Calls the TDX module in place of the instruction TDCALL, for tests; null in firmware.
    pub tdcall: Option<unsafe extern "C" fn(registers: *mut tdx_registers)>,
}

/// How the TDX module is called.
pub(crate) enum Tdx {
    Instruction(Instruction),
    Own(unsafe extern "C" fn(*mut tdx_registers)),
}

// SAFETY: The instruction is one, and who made it promised that the function behaves like it.
unsafe impl Transport for Tdx {
    unsafe fn tdcall(&self, registers: &mut Registers) {
        match self {
            // SAFETY: By the same requirement.
            Self::Instruction(instruction) => unsafe { instruction.tdcall(registers) },
            Self::Own(tdcall) => {
                let mut own = tdx_registers {
                    rax: registers.rax,
                    rcx: registers.rcx,
                    rdx: registers.rdx,
                    r8: registers.r8,
                };
                // SAFETY: By the same requirement; the registers are this function's own.
                unsafe { tdcall(&raw mut own) };
                registers.rax = own.rax;
            }
        }
    }
}

pub(crate) type Measuring = Measurement<'static, Tdx, Engine>;

/// What is in the opaque structure. Hashing takes the engine without waiting for the lock.
pub(crate) struct State {
    pub(crate) engine: Engine,
    measuring: Mutex<Measuring>,
}

impl State {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Measuring> {
        self.measuring.lock()
    }
}

const _: () = assert!(
    size_of::<State>() <= size_of::<[u64; 40]>() && align_of::<State>() <= align_of::<u64>()
);
const _: () = assert!(size_of::<ExtendBuffer>() == 64);

/// Makes a measurement, with a log that begins in the area.
///
/// # Safety
///
/// All of this holds from now on until the measurement is used for the last time:
/// - `measurement` points to a structure that nobody else accesses;
/// - the log's area is memory that nobody else writes, and nobody reads during a call;
/// - adding the offset to the address of `measurement` gives its guest physical address;
/// - the functions of the engine do what their documentation says;
/// - without a `tdcall`, this runs in a TD at privilege level 0; with one, it does what the instruction does.
#[no_mangle]
pub unsafe extern "C" fn tdx_measurement_init(
    measurement: *mut tdx_measurement,
    config: *const tdx_config,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    unsafe { make(measurement, config, LogWriter::new) }
}

/// Makes a measurement that goes on with the log that an earlier phase of the boot left in the area. `truncated` says
/// whether that phase had an event without room.
///
/// # Safety
///
/// As of `tdx_measurement_init`.
#[no_mangle]
pub unsafe extern "C" fn tdx_measurement_resume(
    measurement: *mut tdx_measurement,
    config: *const tdx_config,
    truncated: bool,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    unsafe {
        make(measurement, config, |area| {
            LogWriter::resume(area, truncated)
        })
    }
}

/// # Safety
///
/// As of `tdx_measurement_init`.
unsafe fn make(
    measurement: *mut tdx_measurement,
    config: *const tdx_config,
    open: impl FnOnce(&'static mut [u8]) -> Result<LogWriter<'static>, OpenError>,
) -> tdx_result {
    if measurement.is_null() || !measurement.is_aligned() {
        return tdx_result::TDX_INVALID;
    }
    // SAFETY: The caller points to a configuration or nowhere.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return tdx_result::TDX_INVALID;
    };
    if config.log_area.is_null() || config.log_area_len > isize::MAX as usize {
        return tdx_result::TDX_INVALID;
    }
    // SAFETY: As above.
    let engine = match unsafe { config.engine.as_ref() } {
        Some(engine) => match Functions::new(engine) {
            Some(functions) => Engine::Own(functions),
            None => return tdx_result::TDX_INVALID,
        },
        #[cfg(feature = "sha2")]
        None => Engine::Sha2(tdx_firmware::Sha2),
        #[cfg(not(feature = "sha2"))]
        None => return tdx_result::TDX_INVALID,
    };
    let tdx = match config.tdcall {
        Some(tdcall) => Tdx::Own(tdcall),
        // SAFETY: This runs in a TD, says the caller.
        None => Tdx::Instruction(unsafe { Instruction::assume_td() }),
    };
    // SAFETY: The area is the caller's, who leaves it to this measurement.
    let area = unsafe { core_slice::from_raw_parts_mut(config.log_area, config.log_area_len) };
    let log = match open(area) {
        Ok(log) => log,
        Err(OpenError::Area { .. }) => return tdx_result::TDX_NO_ROOM,
        Err(_) => return tdx_result::TDX_NO_LOG,
    };
    // SAFETY: The structure is the caller's, who leaves it to this measurement. Its first 64 bytes are as long and as
    // aligned as an `ExtendBuffer`, which may have any contents, so that what is written is one.
    let buffer: &'static mut ExtendBuffer = unsafe {
        let buffer = (&raw mut (*measurement).extend_buffer).cast::<ExtendBuffer>();
        buffer.write(ExtendBuffer::ZERO);
        &mut *buffer
    };
    let gpa = Gpa((&raw const *buffer as u64).wrapping_add(config.gpa_offset));
    // SAFETY: That is its guest physical address, says the caller; it is aligned to its size, so in one page.
    let buffer = unsafe { OperandMut::new(buffer, gpa) };
    let state = State {
        engine,
        measuring: Mutex::new(Measurement::new(tdx, buffer, engine, log)),
    };
    // SAFETY: The rest of the structure has room for it, and the right alignment, as is asserted above.
    unsafe { (&raw mut (*measurement).state).cast::<State>().write(state) };
    tdx_result::TDX_LOGGED
}

/// The measurement behind a pointer from C.
///
/// # Safety
///
/// `measurement` is null, or points to what `tdx_measurement_init` or `tdx_measurement_resume` made.
pub(crate) unsafe fn state<'a>(measurement: *mut tdx_measurement) -> Option<&'a State> {
    if measurement.is_null() || !measurement.is_aligned() {
        return None;
    }
    // SAFETY: The structure was made, and only these functions touch it. The reference is to the state alone: the buffer
    // before it is borrowed by the measurement.
    unsafe { (&raw const (*measurement).state).cast::<State>().as_ref() }
}

/// The result for C.
pub(crate) fn result(recorded: Result<Recorded, Error>) -> tdx_result {
    match recorded {
        Ok(Recorded::Logged) => tdx_result::TDX_LOGGED,
        Ok(Recorded::Truncated) => tdx_result::TDX_TRUNCATED,
        Err(_) => tdx_result::TDX_REFUSED,
    }
}

/// The SHA-384 of `len` bytes. Waits for no other CPU.
///
/// # Safety
///
/// `measurement` was made; `bytes` points to `len` bytes, `digest` to 48 that may be written.
#[no_mangle]
pub unsafe extern "C" fn tdx_sha384(
    measurement: *mut tdx_measurement,
    bytes: *const u8,
    len: usize,
    digest: *mut u8,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let (Some(state), Some(bytes)) = (unsafe { state(measurement) }, unsafe { slice(bytes, len) })
    else {
        return tdx_result::TDX_INVALID;
    };
    if digest.is_null() {
        return tdx_result::TDX_INVALID;
    }
    let hash = state.engine.digest(&[bytes]);
    // SAFETY: 48 bytes may be written there.
    unsafe { ptr::copy_nonoverlapping(hash.0.as_ptr(), digest, hash.0.len()) };
    tdx_result::TDX_LOGGED
}

/// Extends RTMR`rtmr`, 0 to 3, with a digest of 48 bytes, and writes an event with these `len` bytes of data.
///
/// # Safety
///
/// `measurement` was made; `digest` points to 48 bytes, `data` to `len`.
#[no_mangle]
pub unsafe extern "C" fn tdx_record(
    measurement: *mut tdx_measurement,
    rtmr: u32,
    event_type: u32,
    digest: *const u8,
    data: *const u8,
    len: usize,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let arguments = unsafe { (state(measurement), digest_at(digest), slice(data, len)) };
    let (Some(state), Some(digest), Some(data)) = arguments else {
        return tdx_result::TDX_INVALID;
    };
    let Some(rtmr) = register(rtmr) else {
        return tdx_result::TDX_INVALID;
    };
    let recorded = state
        .lock()
        .record(rtmr, EventType(event_type), &digest, &[data]);
    result(recorded)
}

/// Where the log is, how many bytes of its area are used, and whether events are missing because they had no room.
/// Each of the three may be null.
///
/// # Safety
///
/// `measurement` was made; what is not null may be written.
#[no_mangle]
pub unsafe extern "C" fn tdx_log(
    measurement: *mut tdx_measurement,
    start: *mut *const u8,
    used: *mut usize,
    truncated: *mut bool,
) -> tdx_result {
    // SAFETY: By the requirements of this function.
    let Some(state) = (unsafe { state(measurement) }) else {
        return tdx_result::TDX_INVALID;
    };
    let guard = state.lock();
    let log = guard.log();
    // SAFETY: What is not null may be written, says the caller.
    unsafe {
        if let Some(start) = start.as_mut() {
            *start = log.area().as_ptr();
        }
        if let Some(used) = used.as_mut() {
            *used = log.bytes().len();
        }
        if let Some(truncated) = truncated.as_mut() {
            *truncated = log.is_truncated();
        }
    }
    tdx_result::TDX_LOGGED
}

pub(crate) fn register(rtmr: u32) -> Option<RtmrIndex> {
    RtmrIndex::new(usize::try_from(rtmr).ok()?)
}

/// # Safety
///
/// `digest` is null, or points to 48 bytes.
pub(crate) unsafe fn digest_at(digest: *const u8) -> Option<Digest> {
    if digest.is_null() {
        return None;
    }
    // SAFETY: By the requirement above.
    let bytes = unsafe { slice(digest, Digest::ZERO.0.len()) }?;
    bytes.try_into().ok().map(Digest)
}
