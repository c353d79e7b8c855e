// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Telling the emulated TDX module what to do next, where the TD is an emulated one.

use crate::harness::Skip;
use anyhow::Result;
use std::time::Duration;
use tdx_call::{leaf, Status, VmcallStatus};
use tdx_module::control::Channel;
use tdx_module::{Fault, FaultAnswer, FaultTarget, QuoteBehaviour};

/// The emulation, which behaves again when this is dropped.
pub(crate) struct Emulation(Channel);

impl Emulation {
    /// The emulation that the program runs in, if there is one that takes orders, behaving.
    pub(crate) fn find() -> Option<Self> {
        let emulation = Self(Channel::open()?);
        emulation.behave();
        Some(emulation)
    }

    /// The same, for tests that cannot do without.
    pub(crate) fn required() -> Result<Self> {
        Self::find().ok_or_else(|| {
            Skip("this is no emulated TD that takes orders (control=on of the QEMU plugin)".into())
                .into()
        })
    }

    /// Ends all faults and delays.
    fn behave(&self) {
        self.0.clear_faults();
        self.0.set_report_time(Duration::ZERO);
        self.0.set_quote_time(Duration::ZERO);
        self.0.set_quote_behaviour(QuoteBehaviour::Honest);
    }

    /// Has the host take that long for a Quote.
    pub(crate) fn slow_quotes_down(&self, time: Duration) {
        self.0.set_quote_time(time);
    }

    /// Has the host answer GetQuote in this way.
    pub(crate) fn answer_quotes(&self, behaviour: QuoteBehaviour) {
        self.0.set_quote_behaviour(behaviour);
    }

    /// Has the host refuse the next `times` calls of a function of TDG.VP.VMCALL, or all of them.
    pub(crate) fn refuse_calls(&self, function: u64, status: VmcallStatus, times: Option<u64>) {
        self.0.inject(&Fault {
            target: FaultTarget::Vmcall(function),
            answer: FaultAnswer::Host(status),
            after: 0,
            times,
        });
    }

    /// How many GetQuote there have been, but for those that were refused by [`Emulation::refuse_calls`].
    pub(crate) fn quote_requests(&self) -> u64 {
        self.0.quote_requests()
    }

    /// Has the next `times` TDG.MR.REPORT answer `status`, or all of them until [`Emulation::mend`].
    pub(crate) fn refuse_reports(&self, status: Status, times: Option<u64>) {
        self.refuse_leaf(leaf::MR_REPORT, status, times);
    }

    /// The same for another leaf.
    pub(crate) fn refuse_leaf(&self, leaf: u64, status: Status, times: Option<u64>) {
        self.0.inject(&Fault {
            target: FaultTarget::Leaf(leaf),
            answer: FaultAnswer::Status(status),
            after: 0,
            times,
        });
    }

    /// Ends all faults.
    pub(crate) fn mend(&self) {
        self.0.clear_faults();
    }

    /// Has TDG.MR.REPORT take that long.
    pub(crate) fn slow_down(&self, time: Duration) {
        self.0.set_report_time(time);
    }

    /// How many TDG.MR.REPORT there have been, refused ones included.
    pub(crate) fn reports(&self) -> u64 {
        self.0
            .calls(u16::try_from(leaf::MR_REPORT).expect("leaf numbers have 16 bits"))
    }

    /// How many instructions the vCPU that the caller is on has executed, and the index of that vCPU.
    pub(crate) fn instructions(&self) -> (u64, u32) {
        self.0.instructions()
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        self.behave();
    }
}
