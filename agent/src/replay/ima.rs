// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's list of measured files (IMA), where it extends registers of the TD.
//!
//! Linux's own IMA extends a TPM. Kernels that extend a TD's RTMR2 instead number it 2 in the list, and give the SHA-384 of
//! every entry. A list of other hashes, or for a TPM's PCR, extends nothing here.
//!
//! A file that was open to be written to while it was measured is a violation. Its entry has a digest of zeros, and the
//! register is extended with ones.
//!
//! Source: Linux, `Documentation/security/IMA-templates.rst`, and `security/integrity/ima/ima_queue.c`.

use super::{Event, Replay, Source};
use crate::visible;
use tdx_call::RtmrIndex;
use tdx_firmware::{HashEngine as _, Sha2};
use tdx_uapi::Digest;

/// RTMR2, as such a kernel numbers it.
const RTMR2: &str = "2";

/// Adds the entries of a list: number of the register, SHA-384, template, and what the template says.
pub(super) fn add(replay: &mut Replay, list: &[u8]) {
    let text = String::from_utf8_lossy(list);
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let mut fields = line.split_ascii_whitespace();
        let digest = |digits| digest(digits).map(extended);
        let entry = (fields.next(), fields.next().and_then(digest), fields.next());
        if let (Some(RTMR2), Some(digest), Some(_template)) = entry {
            if !replay.has_room("kernel's") {
                break;
            }
            let register = &mut replay.registers[RtmrIndex::Rtmr2 as usize];
            *register = Sha2.digest(&[&register.0, &digest.0]);
            let value = *register;
            replay.events.push(Event {
                number: replay.events.len() + 1,
                source: Source::Ima,
                offset,
                register: "RTMR2".into(),
                rtmr: Some(2),
                event_type: "IMA".into(),
                digest: Some(digest),
                description: visible(fields.last().unwrap_or_default()),
                value: Some(value),
                noted: None,
                data_holds: None,
            });
        }
        offset += line.len();
    }
}

/// What a register is extended with for an entry with this digest.
fn extended(digest: Digest) -> Digest {
    match digest {
        Digest::ZERO => Digest([0xff; 48]),
        digest => digest,
    }
}

fn digest(digits: &str) -> Option<Digest> {
    let bytes = hex::decode(digits).ok()?;
    bytes.try_into().ok().map(Digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Logs;

    #[test]
    fn a_violation_is_listed_as_zeros_and_extended_as_ones() {
        let list = format!(
            "2 {} ima-ng sha256:00 /a\n2 {} ima-ng sha384:00 /b\n",
            Digest::ZERO,
            Digest([7; 48])
        );
        let logs = Logs {
            ima: Some(list.as_bytes()),
            ..Logs::default()
        };
        let replay = Replay::new(&logs).expect("a list");
        let [zero, ones, sevens] = [0, 0xff, 7].map(|byte| Digest([byte; 48]));
        let first = Sha2.digest(&[&zero.0, &ones.0]);
        assert_eq!(replay.registers[2], Sha2.digest(&[&first.0, &sevens.0]));
    }
}
