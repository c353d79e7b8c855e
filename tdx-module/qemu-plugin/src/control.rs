// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Obeying the commands of a test inside the TD; see [`tdx_module::control`].

use crate::plugin::{self, Control};
use crate::registers::CpuidRegisters;
use core::time::Duration;
use std::sync::PoisonError;
use tdx_module::control::{Command, DONE, REFUSED, VERSION};
use tdx_module::QuoteBehaviour;

/// The answer to CPUID with these arguments, if they are a command and commands are obeyed.
pub(crate) fn answer(vcpu_index: u32, eax: u32, ecx: u32) -> Option<CpuidRegisters> {
    let command = Command::from_leaf(eax)?;
    let control = plugin::get().control.as_ref()?;
    let result = command.and_then(|command| obey(control, vcpu_index, command, ecx));
    Some(reply(vcpu_index, result))
}

/// The registers for a result, or for none.
fn reply(vcpu_index: u32, result: Option<u64>) -> CpuidRegisters {
    let value = result.unwrap_or(0);
    CpuidRegisters {
        eax: if result.is_some() { DONE } else { REFUSED },
        ebx: vcpu_index,
        ecx: (value & u64::from(u32::MAX)) as u32,
        edx: (value >> 32) as u32,
    }
}

/// Obeys a command and returns its result, or nothing if the argument is no good.
fn obey(control: &Control, vcpu_index: u32, command: Command, argument: u32) -> Option<u64> {
    match command {
        Command::Version => return Some(VERSION),
        Command::Instructions => return Some(control.instructions.get(vcpu_index)),
        Command::Calls => return control.calls(argument),
        Command::ReportTime => {
            plugin::td().set_report_time(Duration::from_micros(argument.into()));
        }
        Command::QuoteTime => {
            plugin::td().set_quote_time(Duration::from_micros(argument.into()));
        }
        Command::QuoteBehaviour => {
            let behaviour = QuoteBehaviour::ALL.get(argument as usize)?;
            plugin::td().set_quote_behaviour(*behaviour);
        }
        Command::QuoteRequests => return Some(plugin::td().quote_requests()),
        Command::ClearFaults => plugin::td().clear_faults(),
        _ => {
            let mut pending = control
                .pending_fault
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(fault) = pending.take(command, argument) {
                plugin::td().inject(fault);
            }
        }
    }
    Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_split_into_ecx_and_edx() {
        let CpuidRegisters { eax, ebx, ecx, edx } = reply(3, Some(0x1122_3344_5566_7788));
        assert_eq!((eax, ebx, ecx, edx), (DONE, 3, 0x5566_7788, 0x1122_3344));
    }

    #[test]
    fn a_command_that_is_not_obeyed_says_so() {
        assert_eq!(reply(0, None).eax, REFUSED);
    }
}
