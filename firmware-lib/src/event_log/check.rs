// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether a digest is that of what the event's data says.

use super::Event;
use crate::event_data::EventData;
use crate::{EventType, HashEngine};
use core::fmt;

/// Whether a digest is that of what the event's data says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataCheck {
    /// It is: what the event says was measured.
    Holds,
    /// It is not, though for events of this type it should be: what the event says is not what was measured.
    Differs,
    /// The data only describes what was measured, or there is no digest.
    NotInLog,
}

impl DataCheck {
    /// What is hashed by type was checked with logs of edk2, GRUB and shim whose registers are those of a Quote.
    pub(super) fn of(event: &Event<'_>, engine: &impl HashEngine) -> Self {
        let (Some(digest), Some(measured)) = (event.digest(), measured(event)) else {
            return Self::NotInLog;
        };
        if engine.digest(&[measured]) == *digest {
            Self::Holds
        } else {
            Self::Differs
        }
    }
}

/// The part of the data that is measured, for events where that is all.
fn measured<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    let data = event.data;
    match event.event_type {
        EventType::EFI_VARIABLE_DRIVER_CONFIG
        | EventType::EFI_VARIABLE_AUTHORITY
        | EventType::SEPARATOR
        | EventType::EFI_ACTION
        | EventType::EFI_GPT_EVENT => Some(data),
        EventType::EFI_VARIABLE_BOOT => match event.decode() {
            EventData::Variable(variable) => Some(variable.data),
            _ => None,
        },
        // Of other events of this type the data is only a name.
        EventType::IPL => match event.decode() {
            EventData::GrubCommand(text) | EventData::KernelCommandLine(text) => Some(text.0),
            _ => None,
        },
        _ => None,
    }
}

impl fmt::Display for DataCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "the digest is that of the event's data",
            Self::Differs => "the digest is not that of the event's data",
            Self::NotInLog => "the log does not have what was measured",
        })
    }
}
