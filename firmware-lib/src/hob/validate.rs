// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What must hold of a single HOB: edk2's `ValidateHobList`, and the bounds that it leaves out.

use super::{Cpu, Handoff, Header, HobError, HobType, Resource, ResourceAttributes, ResourceType};
use zerocopy::FromBytes;

/// The boot modes of the specification: 0 to 7, 10h to 12h and 20h.
fn is_boot_mode(mode: u32) -> bool {
    matches!(mode, 0..=7 | 0x10..=0x12 | 0x20)
}

/// The length that every HOB of that type has; `None` if it varies.
fn fixed_length(hob_type: HobType) -> Option<Option<usize>> {
    Some(Some(match hob_type {
        HobType::HANDOFF => size_of::<Handoff>(),
        HobType::RESOURCE_DESCRIPTOR => size_of::<Resource>(),
        HobType::CPU => size_of::<Cpu>(),
        // The address and size of the volume, then: nothing; its name and its file's; a status, a flag, both names.
        HobType::FV => 24,
        HobType::FV2 => 56,
        HobType::FV3 => 64,
        HobType::END => size_of::<Header>(),
        HobType::GUID_EXTENSION => return Some(None),
        _ => return None,
    }))
}

/// Checks what does not need the HOB's body.
pub(super) fn header(header: &Header, offset: usize) -> Result<(), HobError> {
    let length = header.length.get();
    if header.reserved.get() != 0 {
        return Err(HobError::Reserved { offset });
    }
    let hob_type = header.hob_type;
    let fixed = fixed_length(hob_type).ok_or(HobError::Type {
        offset,
        found: hob_type,
    })?;
    // A GUID HOB has its GUID at least.
    let good = fixed.map_or(length >= 24, |fixed| usize::from(length) == fixed);
    // Only END and the first HOB are of their kind, and only they can be where they are.
    if !good || length % 8 != 0 {
        return Err(HobError::Length {
            offset,
            hob_type,
            found: length,
        });
    }
    if (hob_type == HobType::HANDOFF) != (offset == 0) {
        return Err(HobError::Handoff { offset });
    }
    Ok(())
}

/// Checks the body of a HOB whose header is good; `body` includes the header. Returns whether it ends the list.
pub(super) fn entry(header: &Header, body: &[u8], offset: usize) -> Result<bool, HobError> {
    // The lengths were checked, so that a body is one of its type.
    match header.hob_type {
        HobType::HANDOFF => {
            Handoff::ref_from_bytes(body).map_or(Ok(()), |hob| check_handoff(hob, offset))?;
        }
        HobType::RESOURCE_DESCRIPTOR => {
            Resource::ref_from_bytes(body).map_or(Ok(()), |hob| check_resource(hob, offset))?;
        }
        HobType::CPU => {
            Cpu::ref_from_bytes(body).map_or(Ok(()), |hob| check_cpu(hob, offset))?;
        }
        _ => {}
    }
    Ok(header.hob_type == HobType::END)
}

fn check_cpu(cpu: &Cpu, offset: usize) -> Result<(), HobError> {
    match cpu.reserved {
        [0, 0, 0, 0, 0, 0] => Ok(()),
        _ => Err(HobError::Reserved { offset }),
    }
}

fn check_handoff(handoff: &Handoff, offset: usize) -> Result<(), HobError> {
    let mode = handoff.boot_mode.get();
    if !is_boot_mode(mode) {
        return Err(HobError::BootMode {
            offset,
            found: mode,
        });
    }
    let top = handoff.free_memory_top.get();
    if top % 4096 != 0 {
        return Err(HobError::FreeMemoryTop { offset, found: top });
    }
    Ok(())
}

fn check_resource(resource: &Resource, offset: usize) -> Result<(), HobError> {
    let resource_type = resource.resource_type;
    if resource_type.0.get() > ResourceType::MEMORY_UNACCEPTED.0.get() {
        return Err(HobError::ResourceType {
            offset,
            found: resource_type,
        });
    }
    let attributes = resource.attributes.get();
    if ResourceAttributes::from_bits(attributes).is_none() {
        return Err(HobError::ResourceAttributes {
            offset,
            found: attributes,
        });
    }
    if resource.range().is_none() {
        return Err(HobError::ResourceRange {
            offset,
            start: resource.start.get(),
            length: resource.length.get(),
        });
    }
    Ok(())
}
