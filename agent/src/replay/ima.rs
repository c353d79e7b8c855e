// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's list of measured files (IMA), where it extends registers of the TD.
//!
//! Linux's own IMA extends a TPM. Kernels that extend a TD's RTMR2 instead number it 2 in the list, and give the SHA-384 of
//! every entry. A list of other hashes, or for a TPM's PCR, extends nothing here.
//!
//! Source: Linux, `Documentation/security/IMA-templates.rst`.

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

fn digest(digits: &str) -> Option<Digest> {
    let bytes = hex::decode(digits).ok()?;
    bytes.try_into().ok().map(Digest)
}
