// SPDX-License-Identifier: GPL-2.0-only

//! The Linux driver of a TDX guest: it gets TDREPORTs and Quotes for userspace.
//!
//! It takes the place of the driver in C, `drivers/virt/coco/tdx-guest`, whose module name,
//! modalias and device it has; one of the two can be loaded. The ABI is that of `tdx_uapi::ioctl`
//! and, in C, of `uapi/include/uapi/linux/tdx-guest.h`.
//!
//! From the top down:
//!
//! - this file: loading and unloading;
//! - [`ioctl`]: what an open file of `/dev/tdx-guest` does;
//! - [`tsm`]: the provider of attestation reports in configfs;
//! - [`quote`]: a Quote from the host;
//! - [`tsm_mr`]: measurement registers in sysfs;
//! - [`registers`]: those of the TD;
//! - [`report`]: a TDREPORT from the TDX module;
//! - [`verify`]: whether a TDREPORT is of this platform;
//! - [`device`]: a device node;
//! - [`cpu`]: whether this is a TD at all;
//! - [`log`]: what is written to the log of requests that failed, and how much.

mod cpu;
mod device;
mod ioctl;
mod log;
mod quote;
mod registers;
mod report;
mod tsm;
mod tsm_mr;
mod verify;

use crate::{
    ioctl::{
        OpenerNode,
        Shared, //
    },
    quote::Quotes,
    registers::{
        Td,
        TdRegisters, //
    },
    tsm::{
        Provider,
        Registration, //
    }, //
};
use core::borrow::Borrow;
use kernel::{
    prelude::*,
    sync::Arc, //
};

module! {
    type: TdxGuest,
    name: "tdx_guest",
    authors: ["The tdx-guest authors"],
    description: "TDX guest driver",
    license: "GPL",
    params: {
        quote_timeout_ms: u32 {
            default: 30_000,
            description: "How long the host may take for a Quote, in milliseconds",
        },
    },
}

/// The loaded module: its device nodes, which do the same.
///
/// There are two, and neither is a link, because programs exist that look for one name or for the
/// other, and programs that refuse links.
///
/// The fields go away from the first to the last.
#[pin_data]
struct TdxGuest {
    /// `/dev/tdx_guest`, as the driver in C has it.
    #[pin]
    linux_node: OpenerNode,

    /// `/dev/tdx-guest`, as the driver of TDX 1.0 had it, if it could be registered.
    node: Option<Pin<KBox<OpenerNode>>>,

    /// The provider of attestation reports.
    tsm: Registration<Quotes>,
}

impl Provider for Quotes {
    const NAME: &'static CStr = LINUX_NAME;

    fn report(&self, inblob: &[u8]) -> Result<KVVec<u8>> {
        self.quote(inblob.try_into().map_err(|_| EINVAL)?)
    }
}

/// The name of the driver in C, of its device and of its provider.
const LINUX_NAME: &CStr = c"tdx_guest";

/// The name of the device of the driver of TDX 1.0.
const NAME: &CStr = c"tdx-guest";

impl kernel::InPlaceModule for TdxGuest {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(|| {
            let tdx = cpu::td()?;
            // Nothing has happened yet where the driver in C is there already.
            device::ensure_free(LINUX_NAME)?;
            device::ensure_free(NAME)?;
            // Linux 7.3 gives the value, releases before it a reference.
            let timeout = *Borrow::<u32>::borrow(&module_parameters::quote_timeout_ms.value());
            let quotes = Arc::pin_init(Quotes::new(tdx, timeout), GFP_KERNEL)?;
            let registers = Arc::pin_init(TdRegisters::new(Td::new(tdx)), GFP_KERNEL)?;
            let provider = quotes.clone();
            let shared = Shared { quotes, registers };
            Ok(try_pin_init!(Self {
                tsm: Registration::new(provider)?,
                // A node may be opened as soon as it is registered. An open file keeps the module loaded,
                // but not one whose loading fails: once there is a node, nothing may fail.
                linux_node <- OpenerNode::register(LINUX_NAME, shared.clone()),
                node: KBox::pin_init(OpenerNode::register(NAME, shared), GFP_KERNEL)
                    .inspect_err(|error| {
                        pr_warn!("there is /dev/tdx_guest, but no /dev/tdx-guest: {error:?}\n");
                    })
                    .ok(),
            }))
        })
    }
}
