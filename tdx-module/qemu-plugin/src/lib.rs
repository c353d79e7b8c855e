// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A QEMU TCG plugin that makes a virtual machine a TD.
//!
//! It stands in for the TDX module under an unmodified `qemu-system-x86_64` (11.1 or newer), on any host:
//!
//! ```text
//! qemu-system-x86_64 -accel tcg -cpu max,vendor=GenuineIntel,level=0x21 -M q35 -smp 4 -m 1G \
//!     -nographic \
//!     -plugin libtdx_qemu_plugin.so,trace=stderr -kernel vmlinuz -initrd initrd -append console=ttyS0
//! ```
//!
//! The vendor matters: on a CPU that says it is AMD's, Linux takes itself for an AMD guest again after it has found that
//! it is a TD, and shares no memory. `level` is the largest CPUID leaf; programs look at it before they ask for leaf 21h.
//!
//! When QEMU translates guest code, the plugin looks for two instructions. A TDCALL is handed to the model in
//! [`tdx_module`], with the vCPU's registers and access to guest memory, and execution goes on behind it. A CPUID of leaf
//! 21h answers that this is a TD. All else runs as it always does: there is no #VE, and nothing is isolated.
//!
//! # Firmware
//!
//! Where the firmware below 4 GiB is a TDVF (`-bios OVMF.inteltdx.ms.fd`), the TD is built of its sections as a host does,
//! with MRTD measured and a TD HOB, and starts at its reset vector in the TDX module's initial state, all vCPUs at once:
//! see [`start`], [`stub`], [`rom`] and [`in_place`]. Under any other firmware a kernel is booted as if the TD were past
//! that, with all memory accepted.
//!
//! # Arguments
//!
//! | argument | meaning |
//! | --- | --- |
//! | `config=FILE` | the TD, its platform and its host, in TOML |
//! | `trace=FILE`, `trace=stderr` | a line for each TDCALL but those that wait, `TDG.VP.VMCALL<Instruction.HLT>` |
//! | `trace_hlt=on` | a line for those too, of which there are thousands a second |
//! | `control=on` | the TD may drive the emulation: see [`tdx_module::control`]; instructions are counted, which costs time |
//! | any other | a parameter as in the configuration, which it overrides |
//!
//! # Where it differs from hardware
//!
//! - A TDCALL outside 64-bit mode or ring 0 raises #UD, which is what QEMU has for an unknown instruction; hardware raises
//!   #GP(0). Neither can a plugin inject #VE, or an interrupt.
//! - The arithmetic flags are undefined after a TDCALL, or a CPUID that the plugin answers. Hardware preserves them; QEMU
//!   computes flags late, and a plugin that skips an instruction interrupts that.
//! - A page that a leaf cannot reach, because it is pending or of the other kind, is an invalid operand. On hardware the
//!   host gets an EPT violation to repair it or to end the TD.
//! - A guest's reset makes a new TD. The memory that this one does not accept keeps its content.
//! - TDVF's image is ROM to QEMU. What its own instructions store there is kept, what others store is not.
//! - Port I/O, MSRs and CPUID by TDG.VP.VMCALL are executed in place of the TDCALL, and only for a TD with firmware.

mod bytes;
mod configure;
mod control;
mod count;
mod cpuid;
mod fatal;
mod ffi;
mod firmware;
mod in_place;
mod memory;
mod options;
mod pause;
mod plugin;
mod quote;
mod ram;
mod registers;
mod rom;
mod start;
mod stub;
mod tdcall;
mod trace;
mod translate;
mod vcpu;

use crate::configure::configure;
use crate::in_place::InPlace;
use crate::options::Options;
use crate::plugin::{Control, Plugin};
use crate::quote::Quotes;
use crate::start::Starts;
use crate::trace::TraceSink;
use core::ffi::{c_char, c_int, CStr};
use core::ptr;
use std::error::Error;
use std::sync::OnceLock;

/// The version of QEMU's plugin interface that this plugin is written for; QEMU looks at it before all else.
#[no_mangle]
static qemu_plugin_version: c_int = ffi::QEMU_PLUGIN_VERSION;

/// Called by QEMU when it loads the plugin. QEMU ends with an error if this does not return 0.
///
/// # Safety
///
/// `info` is what QEMU says of the guest, and `argv` has `argc` C strings that live as long as QEMU.
#[no_mangle]
unsafe extern "C" fn qemu_plugin_install(
    id: ffi::qemu_plugin_id_t,
    info: *const ffi::qemu_info_t,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: The caller vouches for both, and QEMU keeps `info` for the time of this call.
    let (info, arguments) = unsafe { (&*info, arguments(argc, argv)) };
    if let Err(error) = load(info, &arguments).and_then(install) {
        eprintln!("tdx-qemu-plugin: {error}");
        return 1;
    }
    // SAFETY: The callbacks fit their types and ignore the user data.
    unsafe {
        ffi::qemu_plugin_register_vcpu_init_cb(id, vcpu::on_init, ptr::null_mut());
        ffi::qemu_plugin_register_vcpu_tb_trans_cb(id, translate::on_translation, ptr::null_mut());
    }
    0
}

/// The plugin's arguments.
///
/// # Safety
///
/// As for [`qemu_plugin_install`].
unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<&'static CStr> {
    let count = usize::try_from(argc).unwrap_or(0);
    let string = |index| {
        // SAFETY: There are so many strings, which live as long as QEMU, as the caller says.
        unsafe { CStr::from_ptr(*argv.add(index)) }
    };
    (0..count).map(string).collect()
}

/// Makes the plugin of what it is told.
fn load(info: &ffi::qemu_info_t, arguments: &[&CStr]) -> Result<Plugin, Box<dyn Error>> {
    // SAFETY: QEMU's name for its target is a C string.
    let target = unsafe { CStr::from_ptr(info.target_name) };
    if target != c"x86_64" || !info.system_emulation {
        return Err("only qemu-system-x86_64 can run a TD".into());
    }
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|argument| argument.to_str())
        .collect::<Result<_, _>>()?;
    let options = Options::parse(arguments)?;
    let mut config = configure(options.config.as_deref(), &options.parameters)?;
    config.td.vcpus = u32::try_from(info.smp_vcpus)?;
    config.td.max_vcpus = config.td.max_vcpus.max(u32::try_from(info.max_vcpus)?);
    let trace = options
        .trace
        .map(|target| TraceSink::open(&target, options.trace_hlt));
    Ok(Plugin {
        quotes: Quotes::new(&config.platform, config.td.vcpus)?,
        trace: trace.transpose()?,
        control: options.control.then(Control::new),
        firmware: OnceLock::new(),
        starts: Starts::new(config.td.vcpus),
        in_place: InPlace::new(),
        config,
    })
}

/// Makes the plugin the one that callbacks see.
fn install(plugin: Plugin) -> Result<(), Box<dyn Error>> {
    match plugin::install(plugin) {
        true => Ok(()),
        false => Err("it is loaded already; a machine is one TD".into()),
    }
}
