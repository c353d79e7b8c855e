// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How a test inside a TD tells the emulation what to do next.
//!
//! One boot of a TD can then run hundreds of cases. The channel is an emulation's only, and there only if it was asked
//! for (`control=on` of the QEMU plugin). A command is a CPUID instruction, from any privilege level, because that
//! needs no driver and disturbs little:
//!
//! | register | goes in | comes out |
//! | --- | --- | --- |
//! | EAX | [`LEAF`] + the [`Command`] | [`DONE`]; [`REFUSED`] if there is no such command or its argument is no good |
//! | EBX | – | the index of the vCPU that executed the CPUID |
//! | ECX | the argument | the lower half of the result |
//! | EDX | – | its upper half |
//!
//! A CPU without the channel answers with something else in EAX. EAX and ECX are all that `__cpuid_count` of `core::arch`
//! passes, so no assembly is needed:
//!
//! ```no_run
//! use tdx_module::control::Channel;
//! use tdx_module::{Fault, FaultAnswer, FaultTarget};
//! use tdx_call::{leaf, OperandId, Status};
//!
//! let channel = Channel::open().expect("this is an emulated TD, with control=on");
//! // The second TDG.MR.REPORT from now on finds the RTMRs busy, once.
//! channel.inject(&Fault {
//!     target: FaultTarget::Leaf(leaf::MR_REPORT),
//!     answer: FaultAnswer::Status(Status::operand_busy(OperandId::RTMR)),
//!     after: 1,
//!     times: Some(1),
//! });
//! ```

use crate::{Fault, FaultAnswer, FaultTarget, QuoteBehaviour};
use core::time::Duration;
use tdx_call::{Status, VmcallStatus};

/// The CPUID leaf of command 0. The 256 leaves from here on belong to the channel.
///
/// Leaves `4000_0000h` to `4FFF_FFFFh` are for software, no CPU has them. Source: Intel SDM volume 2, "CPUID".
pub const LEAF: u32 = 0x4054_4400;

/// EAX after a command that was obeyed.
pub const DONE: u32 = u32::from_le_bytes(*b"TDok");

/// EAX after a command that was not.
pub const REFUSED: u32 = u32::from_le_bytes(*b"TDno");

/// Version of the channel: the result of [`Command::Version`].
pub const VERSION: u64 = 1;

/// Defines the commands with their numbers.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A command, by its number.
        ///
        /// A fault takes several commands: those whose names begin with `Fault` describe it, and one that begins with
        /// `Inject` makes it happen. The description is one for all vCPUs and stays for the next fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Command { $($(#[$doc])* $name = $number,)* }

        impl Command {
            /// All commands.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

commands! {
    /// Returns [`VERSION`].
    Version = 0,
    /// Returns how many instructions this vCPU has executed, this CPUID included.
    Instructions = 1,
    /// Returns how many TDCALLs of the leaf in ECX all vCPUs have executed, refused ones included.
    Calls = 2,
    /// Sets the time that TDG.MR.REPORT takes, in microseconds.
    ReportTime = 3,
    /// Sets the time that the quoting service takes, in microseconds.
    QuoteTime = 4,
    /// Sets how the host answers GetQuote: ECX is an index into [`QuoteBehaviour::ALL`].
    QuoteBehaviour = 5,
    /// Returns how many requests for Quotes there have been; see [`Td::quote_requests`](crate::Td::quote_requests).
    QuoteRequests = 6,
    /// The fault is about the leaf with the number in ECX.
    FaultLeaf = 0x10,
    /// The fault is about TDG.VP.VMCALL of the function in ECX.
    FaultVmcall = 0x11,
    /// ECX is the lower half of the status that the fault answers.
    FaultStatusLow = 0x12,
    /// ECX is the upper half of it.
    FaultStatusHigh = 0x13,
    /// ECX is how many calls go through before the first that fails.
    FaultAfter = 0x14,
    /// Makes ECX calls fail, all of them if it is 0, with the status in RAX: the TDX module refuses.
    InjectStatus = 0x18,
    /// The same with the status in R10 of TDG.VP.VMCALL: the host refuses.
    InjectHost = 0x19,
    /// Ends all faults.
    ClearFaults = 0x1f,
}

impl Command {
    /// The command in EAX of a CPUID; `None` if the leaf is not the channel's, `Some(None)` if it has no such command.
    pub fn from_leaf(eax: u32) -> Option<Option<Self>> {
        let number = eax
            .checked_sub(LEAF)
            .and_then(|number| u8::try_from(number).ok())?;
        Some(
            Self::ALL
                .iter()
                .copied()
                .find(|command| *command as u8 == number),
        )
    }

    /// EAX of the command.
    pub const fn leaf(self) -> u32 {
        LEAF + self as u32
    }
}

/// What the commands describe of the next fault. This is the emulation's side of [`Channel::inject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingFault {
    target: FaultTarget,
    status: u64,
    after: u64,
}

impl Default for PendingFault {
    fn default() -> Self {
        Self {
            target: FaultTarget::Leaf(0),
            status: 0,
            after: 0,
        }
    }
}

impl PendingFault {
    /// Takes a command that describes the fault, or returns the fault that is to be injected now.
    ///
    /// Commands that are about something else change nothing.
    pub fn take(&mut self, command: Command, argument: u32) -> Option<Fault> {
        const LOW: u64 = 0xffff_ffff;
        let value = u64::from(argument);
        match command {
            Command::FaultLeaf => self.target = FaultTarget::Leaf(value),
            Command::FaultVmcall => self.target = FaultTarget::Vmcall(value),
            Command::FaultStatusLow => self.status = (self.status & !LOW) | value,
            Command::FaultStatusHigh => self.status = (self.status & LOW) | (value << 32),
            Command::FaultAfter => self.after = value,
            Command::InjectStatus => {
                return Some(self.fault(FaultAnswer::Status(Status(self.status)), value))
            }
            Command::InjectHost => {
                return Some(self.fault(FaultAnswer::Host(VmcallStatus(self.status)), value))
            }
            _ => {}
        }
        None
    }

    fn fault(&self, answer: FaultAnswer, times: u64) -> Fault {
        let Self { target, after, .. } = *self;
        Fault {
            target,
            answer,
            after,
            times: (times != 0).then_some(times),
        }
    }
}

/// The commands that describe and inject `fault`, in order.
///
/// Numbers that do not fit an argument become the largest that does.
fn commands_for(fault: &Fault) -> [(Command, u32); 5] {
    let clamp = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let target = match fault.target {
        FaultTarget::Leaf(number) => (Command::FaultLeaf, clamp(number)),
        FaultTarget::Vmcall(function) => (Command::FaultVmcall, clamp(function)),
    };
    let (inject, status) = match fault.answer {
        FaultAnswer::Status(status) => (Command::InjectStatus, status.0),
        FaultAnswer::Host(status) => (Command::InjectHost, status.0),
    };
    [
        target,
        (Command::FaultStatusLow, (status & 0xffff_ffff) as u32),
        (Command::FaultStatusHigh, (status >> 32) as u32),
        (Command::FaultAfter, clamp(fault.after)),
        (inject, fault.times.map_or(0, clamp)),
    ]
}

/// The channel, from inside the TD.
///
/// Commands of several threads are not kept apart: a fault takes more than one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub struct Channel(());

#[cfg(target_arch = "x86_64")]
impl Channel {
    /// The channel, if the program runs in an emulated TD that has one.
    pub fn open() -> Option<Self> {
        let channel = Self(());
        (channel.send(Command::Version, 0)?.0 == VERSION).then_some(channel)
    }

    /// How many instructions the vCPU that the caller is on has executed, and the index of that vCPU.
    ///
    /// Two numbers of the same vCPU differ by the instructions between their CPUIDs, one of the two CPUIDs included.
    pub fn instructions(self) -> (u64, u32) {
        self.must(Command::Instructions, 0)
    }

    /// How many TDCALLs of the leaf `number` all vCPUs have executed.
    pub fn calls(self, number: u16) -> u64 {
        self.must(Command::Calls, number.into()).0
    }

    /// Sets the time that TDG.MR.REPORT takes, in whole microseconds.
    pub fn set_report_time(self, time: Duration) {
        self.must(
            Command::ReportTime,
            u32::try_from(time.as_micros()).unwrap_or(u32::MAX),
        );
    }

    /// Sets the time that the quoting service takes, in whole microseconds.
    pub fn set_quote_time(self, time: Duration) {
        self.must(
            Command::QuoteTime,
            u32::try_from(time.as_micros()).unwrap_or(u32::MAX),
        );
    }

    /// Sets how the host answers GetQuote.
    pub fn set_quote_behaviour(self, behaviour: QuoteBehaviour) {
        let mut all = QuoteBehaviour::ALL.iter();
        let index = all.position(|other| *other == behaviour).unwrap_or(0);
        self.must(Command::QuoteBehaviour, index as u32);
    }

    /// How many requests for Quotes there have been.
    pub fn quote_requests(self) -> u64 {
        self.must(Command::QuoteRequests, 0).0
    }

    /// Adds a rule that makes calls fail.
    pub fn inject(self, fault: &Fault) {
        for (command, argument) in commands_for(fault) {
            self.must(command, argument);
        }
    }

    /// Removes all rules that make calls fail.
    pub fn clear_faults(self) {
        self.must(Command::ClearFaults, 0);
    }

    /// Sends a command that an open channel knows.
    fn must(self, command: Command, argument: u32) -> (u64, u32) {
        self.send(command, argument)
            .unwrap_or_else(|| panic!("{command:?} {argument} was refused"))
    }

    /// Sends a command and returns the result and the index of the vCPU, or nothing if the command was not obeyed.
    #[inline]
    fn send(self, command: Command, argument: u32) -> Option<(u64, u32)> {
        // SAFETY: Every CPU that runs 64-bit code has CPUID.
        #[allow(unused_unsafe, reason = "newer compilers know that this is safe")]
        let reply = unsafe { core::arch::x86_64::__cpuid_count(command.leaf(), argument) };
        (reply.eax == DONE).then_some((
            (u64::from(reply.edx) << 32) | u64::from(reply.ecx),
            reply.ebx,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdx_call::leaf;

    /// What the emulation makes of the commands for `fault`.
    fn transmitted(fault: &Fault) -> Option<Fault> {
        let mut pending = PendingFault::default();
        let mut injected = None;
        for (command, argument) in commands_for(fault) {
            assert_eq!(injected, None, "the fault is injected by its last command");
            injected = pending.take(command, argument);
        }
        injected
    }

    #[test]
    fn a_fault_arrives_as_it_was_sent() {
        for target in [
            FaultTarget::Leaf(leaf::MR_REPORT),
            FaultTarget::Vmcall(0x10001),
        ] {
            for answer in [
                FaultAnswer::Status(Status(0x8000_0200_0000_00a8)),
                FaultAnswer::Host(VmcallStatus(0x8000_0000_0000_0003)),
            ] {
                for times in [None, Some(1), Some(1000)] {
                    let fault = Fault {
                        target,
                        answer,
                        after: 3,
                        times,
                    };
                    assert_eq!(transmitted(&fault), Some(fault));
                }
            }
        }
    }

    #[test]
    fn every_command_is_found_by_its_leaf() {
        for command in Command::ALL {
            assert_eq!(Command::from_leaf(command.leaf()), Some(Some(*command)));
        }
    }

    #[test]
    fn leaves_outside_the_channel_are_not_commands() {
        for leaf in [0, 0x21, 0x4000_0000, LEAF - 1, LEAF + 0x100, u32::MAX] {
            assert_eq!(Command::from_leaf(leaf), None);
        }
        assert_eq!(Command::from_leaf(LEAF + 0xff), Some(None));
    }
}
