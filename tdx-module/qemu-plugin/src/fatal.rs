// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `TDG.VP.VMCALL<ReportFatalError>`: the TD cannot go on and says why.

use std::process;
use tdx_call::Registers;

/// Says what the TD reported and ends QEMU.
///
/// Hosts end a TD that reports a fatal error. It would only report it again, for ever.
pub(crate) fn end(vcpu: u32, call: &Registers) -> ! {
    let message = message(call);
    eprintln!(
        "tdx-qemu-plugin: the TD reports a fatal error on vCPU {vcpu}: code {:#x}, {message:?}",
        call.r12
    );
    process::exit(1);
}

/// The text that comes with the report: up to 64 characters in registers, zero behind the last.
///
/// Source: GHCI, "`TDG.VP.VMCALL<ReportFatalError>`".
fn message(call: &Registers) -> String {
    let Registers {
        rbx,
        rdx,
        rsi,
        rdi,
        r8,
        r9,
        r14,
        r15,
        ..
    } = *call;
    let bytes: Vec<u8> = [r14, r15, rbx, rdi, rsi, r8, r9, rdx]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_read_in_the_order_of_the_ghci() {
        let text = b"TD misconfiguration: SEPT_VE_DISABLE attribute must be set.12345";
        let word = |index: usize| u64::from_le_bytes(*text[index * 8..].first_chunk().unwrap());
        let call = Registers {
            r14: word(0),
            r15: word(1),
            rbx: word(2),
            rdi: word(3),
            rsi: word(4),
            r8: word(5),
            r9: word(6),
            rdx: word(7),
            ..Registers::default()
        };
        assert_eq!(message(&call).as_bytes(), text);
    }

    #[test]
    fn a_message_ends_at_its_first_zero() {
        let call = Registers {
            r14: u64::from_le_bytes(*b"no\0nsens"),
            ..Registers::default()
        };
        assert_eq!(message(&call), "no");
        assert_eq!(message(&Registers::default()), "");
    }
}
