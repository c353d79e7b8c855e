// SPDX-License-Identifier: GPL-2.0-only

//! The Linux driver of a TDX guest: it gets TDREPORTs for userspace.
//!
//! It takes the place of the driver in C, `drivers/virt/coco/tdx-guest`, whose module name,
//! modalias and device it has; one of the two can be loaded. The ABI is that of `tdx_uapi::ioctl`
//! and, in C, of `uapi/include/uapi/linux/tdx-guest.h`.
//!
//! From the top down:
//!
//! - this file: loading and unloading;
//! - [`ioctl`]: what an open file of `/dev/tdx-guest` does;
//! - [`report`]: a TDREPORT from the TDX module;
//! - [`device`]: a device node;
//! - [`cpu`]: whether this is a TD at all;
//! - [`ratelimit`]: how much is written to the log.

mod cpu;
mod device;
mod ioctl;
mod ratelimit;
mod report;

use crate::{
    device::Node,
    ioctl::Opener, //
};
use kernel::prelude::*;

module! {
    type: TdxGuest,
    name: "tdx_guest",
    authors: ["The tdx-guest authors"],
    description: "TDX guest driver",
    license: "GPL",
}

/// The loaded module: its device nodes, which do the same.
///
/// There are two, and neither is a link, because programs exist that look for one name or for the
/// other, and programs that refuse links.
#[pin_data]
struct TdxGuest {
    /// `/dev/tdx_guest`, as the driver in C has it.
    ///
    /// It comes first, so that nothing has happened yet where that driver is there already.
    #[pin]
    linux_node: Node<Opener>,

    /// `/dev/tdx-guest`, as the driver of TDX 1.0 had it.
    #[pin]
    node: Node<Opener>,
}

impl kernel::InPlaceModule for TdxGuest {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _: {
                cpu::td()?;
            },
            // A node may be opened as soon as it is registered. What its files need comes before.
            linux_node <- Node::register(c"tdx_guest"),
            node <- Node::register(c"tdx-guest"),
        })
    }
}
