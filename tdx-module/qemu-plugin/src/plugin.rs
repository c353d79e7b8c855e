// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the vCPUs share.

use crate::count::InstructionCount;
use crate::quote::Quotes;
use crate::ram;
use crate::trace::TraceSink;
use crate::vcpu::{self, Vcpu};
use core::ffi::{c_uint, c_void};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use tdx_call::Gpa;
use tdx_module::control::PendingFault;
use tdx_module::{Config, RamRange, RamState, Td};

/// The plugin, once QEMU has installed it.
static PLUGIN: OnceLock<Plugin> = OnceLock::new();

/// The largest leaf number whose calls are counted.
const LAST_COUNTED_LEAF: usize = 31;

/// What the plugin was told, and the TD that it makes of that.
pub(crate) struct Plugin {
    /// The TD, its platform and its host, but for the TD's memory, which is not known until the machine is there.
    pub(crate) config: Config,
    /// Where a line for each TDCALL goes.
    pub(crate) trace: Option<TraceSink>,
    /// The quoting service.
    pub(crate) quotes: Quotes,
    /// What only a test wants.
    pub(crate) control: Option<Control>,
}

/// What the control channel needs.
pub(crate) struct Control {
    /// How many instructions each vCPU has executed.
    pub(crate) instructions: InstructionCount,
    /// The fault that the TD is describing.
    pub(crate) pending_fault: Mutex<PendingFault>,
    /// How many TDCALLs of each leaf there have been.
    calls: [AtomicU64; LAST_COUNTED_LEAF + 1],
}

impl Control {
    /// A channel on which nothing has happened.
    pub(crate) fn new() -> Self {
        Self {
            instructions: InstructionCount::new(),
            pending_fault: Mutex::default(),
            calls: [const { AtomicU64::new(0) }; LAST_COUNTED_LEAF + 1],
        }
    }

    /// Counts a TDCALL with this RAX.
    pub(crate) fn count_call(&self, rax: u64) {
        if let Some(calls) = self.calls.get((rax & 0xffff) as usize) {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many TDCALLs of a leaf there have been, if that leaf is one that is counted.
    pub(crate) fn calls(&self, leaf: u32) -> Option<u64> {
        Some(self.calls.get(leaf as usize)?.load(Ordering::Relaxed))
    }
}

/// The TD, once it has memory.
static TD: OnceLock<Td> = OnceLock::new();

/// Makes `plugin` the one that callbacks see, and returns whether that is the first.
pub(crate) fn install(plugin: Plugin) -> bool {
    PLUGIN.set(plugin).is_ok()
}

/// The plugin, for callbacks, which come only after it was installed.
pub(crate) fn get() -> &'static Plugin {
    PLUGIN
        .get()
        .expect("QEMU calls back after it has installed the plugin")
}

/// The TD, for everything that the guest executes but its first instruction.
pub(crate) fn td() -> &'static Td {
    TD.get()
        .expect("the TD is made before the guest's first instruction")
}

/// Whether the TD is still to be made.
pub(crate) fn is_td_to_come() -> bool {
    TD.get().is_none()
}

/// Called before the guest's first instruction, when the machine is complete: makes the TD.
pub(crate) extern "C" fn on_first_instruction(_vcpu_index: c_uint, _userdata: *mut c_void) {
    TD.get_or_init(|| vcpu::with_current(|vcpu| get().make_td(vcpu)));
}

impl Plugin {
    fn make_td(&self, vcpu: &Vcpu) -> Td {
        let Config {
            td: mut parameters,
            platform,
            host,
            faults,
        } = self.config.clone();
        let is_memory = |page| vcpu.memory.read(Gpa(page), &mut [0]).is_ok();
        // Without firmware that would accept it, all memory is the TD's from the start.
        let ram_range = |range| RamRange {
            range,
            state: RamState::Accepted,
        };
        parameters.ram = ram::ranges(is_memory).into_iter().map(ram_range).collect();
        let td = Td::new(parameters, platform, host)
            .unwrap_or_else(|error| panic!("there can be no such TD: {error}"));
        faults.into_iter().for_each(|fault| td.inject(fault));
        td
    }
}
