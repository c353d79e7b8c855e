// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the vCPUs share.

use crate::count::InstructionCount;
use crate::firmware::Firmware;
use crate::in_place::InPlace;
use crate::quote::Quotes;
use crate::start::Starts;
use crate::trace::TraceSink;
use crate::vcpu::Vcpu;
use crate::{ram, stub};
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::error::Error;
use std::sync::{Mutex, OnceLock};
use tdx_call::Gpa;
use tdx_module::control::PendingFault;
use tdx_module::{Config, RamRange, RamState, Td, TdBuild, TdParameters};

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
    /// The firmware under the guest, once that is known, if it is a TDVF.
    pub(crate) firmware: OnceLock<Option<Firmware>>,
    /// Which vCPUs have started.
    pub(crate) starts: Starts,
    /// What the guest executes for its host.
    pub(crate) in_place: InPlace,
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

/// The TD, once the machine was switched on.
static TD: AtomicPtr<Td> = AtomicPtr::new(ptr::null_mut());

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

/// The TD, for everything that the guest executes but its first instruction after a reset.
pub(crate) fn td() -> &'static Td {
    let td = TD.load(Ordering::Acquire);
    // SAFETY: The pointer is null or from a box that was leaked.
    unsafe { td.as_ref() }.expect("the TD is made before the guest's first instruction")
}

impl Plugin {
    /// The firmware, if it is a TDVF, and the machine was switched on.
    pub(crate) fn firmware(&self) -> Option<&Firmware> {
        self.firmware.get()?.as_ref()
    }

    /// Makes the TD, in place of the one before a reset, and fills its memory.
    ///
    /// # Panics
    ///
    /// When there can be no such TD.
    pub(crate) fn make_td(&self, vcpu: &Vcpu) {
        let firmware = self.firmware.get_or_init(|| {
            Firmware::find(&vcpu.memory)
                .unwrap_or_else(|error| panic!("the firmware cannot be used: {error}"))
        });
        let is_memory = |page| vcpu.memory.read(Gpa(page), &mut [0]).is_ok();
        let ram = ram::ranges(is_memory);
        let Config { td, faults, .. } = self.config.clone();
        let td = match firmware {
            Some(firmware) => self.build(td, &with_hole(ram), firmware, vcpu),
            None => self.accept(td, ram),
        };
        let td = td.unwrap_or_else(|error| panic!("there can be no such TD: {error}"));
        faults.into_iter().for_each(|fault| td.inject(fault));
        // Never freed: a quoting service may still be at work for it. A TD is small, and resets are few.
        TD.store(Box::leak(Box::new(td)), Ordering::Release);
    }

    /// A TD that begins with its kernel. Without firmware that would accept it, all memory is the TD's from the start.
    fn accept(
        &self,
        mut parameters: TdParameters,
        ram: Vec<Range<u64>>,
    ) -> Result<Td, Box<dyn Error>> {
        parameters.ram = ranges(ram, RamState::Accepted);
        let Config { platform, host, .. } = self.config.clone();
        Ok(Td::new(parameters, platform, host)?)
    }

    /// A TD that begins in its firmware.
    fn build(
        &self,
        mut parameters: TdParameters,
        ram: &[Range<u64>],
        firmware: &Firmware,
        vcpu: &Vcpu,
    ) -> Result<Td, Box<dyn Error>> {
        firmware.load(ram, &vcpu.memory)?;
        if vcpu.memory.write(Gpa(stub::ADDRESS), stub::code()).is_err() {
            return Err("the machine has no memory from address 0 on".into());
        }
        let memory = ram.iter().cloned().chain([firmware.range()]);
        parameters.ram = ranges(memory, RamState::Pending);
        let mut build = TdBuild::new(parameters);
        firmware.build(&mut build)?;
        let Config { platform, host, .. } = self.config.clone();
        Ok(build.mr_finalize(platform, host)?)
    }
}

fn ranges(ranges: impl IntoIterator<Item = Range<u64>>, state: RamState) -> Vec<RamRange> {
    let ram_range = |range| RamRange { range, state };
    ranges.into_iter().map(ram_range).collect()
}

/// The memory as a TD has it: the conventional memory goes on without the hole of a PC.
fn with_hole(mut ram: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if let [low, extended, ..] = ram.as_mut_slice() {
        low.end = extended.end;
        ram.remove(1);
    }
    ram
}
