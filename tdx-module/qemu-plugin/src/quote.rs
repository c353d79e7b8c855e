// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The quoting service of the host, and its answers to the TD.
//!
//! A request is worked on in a thread of its own while the TD goes on. QEMU lets nobody but a vCPU write to memory, so the
//! answer waits until a vCPU begins to execute another block of code, which takes microseconds, or the rest of its nap if all
//! of them are idle. An answer to a TD that a reset has ended meanwhile goes nowhere.

use crate::memory::MemoryAccess;
use crate::{ffi, plugin, vcpu};
use core::ffi::{c_uint, c_void};
use core::ptr;
use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use tdx_call::Gpa;
use tdx_module::{Machine, Platform, QuoteJob, Td, Unmapped};
use tdx_quoting::{model, PlatformConfig, PlatformError, QuoteStatus, QuotingService};

/// How often an answer is meddled with.
const CHANGES: u64 = 3000;

/// The quoting service, and the answers that are to be delivered.
pub(crate) struct Quotes {
    service: Arc<QuotingService>,
    attention: Attention,
    answers: Mutex<Vec<Answer>>,
    /// The answer that is meddled with, and how often that was done.
    meddling: Mutex<Option<(&'static Td, QuoteJob)>>,
    changes: AtomicU64,
}

/// An answer on its way to the TD that asked.
struct Answer {
    td: &'static Td,
    job: QuoteJob,
    reply: Option<Vec<u8>>,
}

impl Quotes {
    /// The quoting service of the model's platform, for a machine with so many vCPUs.
    ///
    /// # Errors
    ///
    /// As [`model::platform`].
    pub(crate) fn new(platform: &Platform, vcpus: u32) -> Result<Self, PlatformError> {
        let quoting = model::platform(platform, &PlatformConfig::default())?;
        let enclave = model::quoting_enclave(&quoting, platform);
        Ok(Self {
            service: Arc::new(QuotingService::new(enclave)),
            attention: Attention::new(vcpus),
            answers: Mutex::default(),
            meddling: Mutex::default(),
            changes: AtomicU64::new(0),
        })
    }

    /// Begins to work on a request that is to be answered after `time`.
    pub(crate) fn begin(&'static self, job: QuoteJob, time: Duration) {
        let td = plugin::td();
        let due = Instant::now() + time;
        let service = Arc::clone(&self.service);
        thread::spawn(move || {
            let pending = service.submit(job.data());
            let reply = service
                .poll(&pending)
                .filter(|reply| reply.status == QuoteStatus::SUCCESS)
                .map(|reply| reply.data);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            lock(&self.answers).push(Answer { td, job, reply });
            self.attention.call();
        });
    }

    /// Has [`on_attention`] called when there is something to do before `tb` is executed.
    ///
    /// # Safety
    ///
    /// `tb` is the block that is being translated.
    pub(crate) unsafe fn attach(&self, tb: *mut ffi::qemu_plugin_tb) {
        // SAFETY: The callback fits its type and ignores the user data; the caller says the rest.
        unsafe {
            ffi::qemu_plugin_register_vcpu_tb_exec_cond_cb(
                tb,
                on_attention,
                ffi::qemu_plugin_cb_flags::QEMU_PLUGIN_CB_NO_REGS,
                ffi::qemu_plugin_cond::QEMU_PLUGIN_COND_NE,
                self.attention.wanted,
                0,
                ptr::null_mut(),
            );
        }
    }

    /// Delivers the answers that are there, as the vCPU that is running.
    fn deliver(&self, vcpu_index: u32, memory: &MemoryAccess) {
        self.attention.heed(vcpu_index);
        let memory = Memory(memory);
        let answers = std::mem::take(&mut *lock(&self.answers));
        let is_running = |td: &'static Td| ptr::eq(td, plugin::td());
        for Answer { td, job, reply } in answers {
            if !is_running(td) {
                continue;
            }
            td.finish_quote(&job, reply, &memory);
            if job.is_changing() {
                self.changes.store(0, Ordering::Relaxed);
                *lock(&self.meddling) = Some((td, job));
            }
        }
        let mut meddling = lock(&self.meddling);
        meddling.take_if(|(td, _)| !is_running(td));
        if let Some((td, job)) = &*meddling {
            let step = self.changes.fetch_add(1, Ordering::Relaxed);
            td.meddle(job, step, &memory);
            if step < CHANGES {
                self.attention.call();
            } else {
                *meddling = None;
            }
        }
    }
}

/// Called before a vCPU executes a block, when there is something to deliver.
extern "C" fn on_attention(vcpu_index: c_uint, _userdata: *mut c_void) {
    vcpu::with_current(|vcpu| plugin::get().quotes.deliver(vcpu_index, &vcpu.memory));
}

/// Whether the vCPUs are wanted, for each of them.
struct Attention {
    wanted: ffi::qemu_plugin_u64,
    vcpus: u32,
}

// SAFETY: A scoreboard belongs to no thread: each entry is a machine word that may be written at any time.
unsafe impl Send for Attention {}
// SAFETY: As above.
unsafe impl Sync for Attention {}

impl Attention {
    fn new(vcpus: u32) -> Self {
        // SAFETY: Each entry of the scoreboard is one `u64`.
        let score = unsafe { ffi::qemu_plugin_scoreboard_new(size_of::<u64>()) };
        let wanted = ffi::qemu_plugin_u64 { score, offset: 0 };
        Self { wanted, vcpus }
    }

    /// Wants all vCPUs.
    fn call(&self) {
        for vcpu in 0..self.vcpus {
            // SAFETY: There is an entry for each vCPU that the machine has.
            unsafe { ffi::qemu_plugin_u64_set(self.wanted, vcpu, 1) };
        }
    }

    /// A vCPU is here, and not wanted any more until the next call.
    fn heed(&self, vcpu: u32) {
        // SAFETY: As above.
        unsafe { ffi::qemu_plugin_u64_set(self.wanted, vcpu, 0) };
    }
}

/// The machine, as far as the host writes answers to its memory.
struct Memory<'a>(&'a MemoryAccess);

impl Machine for Memory<'_> {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        self.0.read(gpa, buffer)
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        self.0.write(gpa, bytes)
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
