// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Metadata fields: what there is, who may read and write it, and where its value comes from.
//!
//! Source: TDX module ABI, "MD_FIELD_ID", and the metadata tables that accompany it.

mod fields;

pub(crate) use fields::{SYSTEM, TD};

use crate::{config_flags, td_ctls, Generation, Td, TdParameters};
use core::sync::atomic::{AtomicU64, Ordering};
use tdx_call::{FieldId, OperandId, Status};
use tdx_uapi::Attributes;

/// The identifier of no field: where the list of fields ends, and begins.
pub(crate) const NO_FIELD: u64 = u64::MAX;

/// The context code, which is ignored in identifiers: bits 54 to 52.
const CONTEXT: u64 = 0b111 << 52;

/// Bits of an identifier that must be zero where one element is meant: the reserved ones [31:24], [49:47], 55 and 62,
/// and the numbers of the last element ([37:34]) and of the last field ([46:38]).
const MUST_BE_ZERO: u64 =
    (0xff << 24) | (0b111 << 47) | (1 << 55) | (1 << 62) | (0b1111 << 34) | (0x1ff << 38);

pub(crate) const fn is_no_field(id: u64) -> bool {
    id | CONTEXT == NO_FIELD
}

/// The fields of one context, in order.
pub(crate) struct Table(pub(crate) &'static [Field]);

/// A field, or several of consecutive codes.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// The identifier of the first element.
    pub(crate) id: u64,
    /// How many elements there are.
    pub(crate) elements: u32,
    /// The first TDX module that has it.
    pub(crate) since: Generation,
    /// The value of an element, if a TD may read it.
    pub(crate) read: Option<fn(&Td, usize) -> u64>,
    /// Where the value is and which bits a TD may write, if any.
    pub(crate) write: Option<Writable>,
}

/// A field that a TD may write.
pub(crate) struct Writable {
    pub(crate) bits: u64,
    pub(crate) cell: fn(&Td) -> &AtomicU64,
    /// Whether the field may change from one value to another.
    pub(crate) check: fn(&Td, u64, u64) -> bool,
}

impl Table {
    /// Finds an element by class and field code; no other part of an identifier matters.
    fn find(&self, td: &Td, id: u64) -> Result<(usize, usize), Status> {
        let wrong = Status::METADATA_FIELD_ID_INCORRECT;
        if id & MUST_BE_ZERO != 0 {
            return Err(wrong);
        }
        let wanted = FieldId(id);
        self.fields(td)
            .find_map(|(index, field)| {
                let first = FieldId(field.id);
                let element = wanted.field().checked_sub(first.field())?;
                (wanted.class() == first.class() && element < field.elements)
                    .then_some((index, element as usize))
            })
            .ok_or(wrong)
    }

    fn fields(&self, td: &Td) -> impl Iterator<Item = (usize, &Field)> {
        let generation = td.platform.generation;
        let fields = self.0.iter().enumerate();
        fields.filter(move |(_, field)| field.since <= generation)
    }

    /// An element's value, and the identifier of the next element that a TD may read.
    pub(crate) fn read(&self, td: &Td, id: u64) -> Result<(u64, u64), Status> {
        let (index, element) = self.find(td, id)?;
        let field = &self.0[index];
        let read = field.read.ok_or(Status::METADATA_FIELD_NOT_READABLE)?;
        let next = if element + 1 < field.elements as usize {
            field.id + element as u64 + 1
        } else {
            self.readable(td, index + 1)
        };
        Ok((read(td, element), next))
    }

    /// The identifier of the first field that a TD may read.
    pub(crate) fn first(&self, td: &Td) -> u64 {
        self.readable(td, 0)
    }

    fn readable(&self, td: &Td, from: usize) -> u64 {
        let mut rest = self.fields(td).skip_while(|(index, _)| *index < from);
        let found = rest.find(|(_, field)| field.read.is_some());
        found.map_or(NO_FIELD, |(_, field)| field.id)
    }

    /// Writes the bits of `value` that `mask` selects, and returns what the field was.
    pub(crate) fn write(&self, td: &Td, id: u64, value: u64, mask: u64) -> Result<u64, Status> {
        let (index, _) = self.find(td, id)?;
        let not_writable = Status::METADATA_FIELD_NOT_WRITABLE;
        let write = self.0[index].write.as_ref().ok_or(not_writable)?;
        let selected = mask & write.bits;
        if selected == 0 {
            return Err(not_writable);
        }
        let cell = (write.cell)(td);
        let old = cell.load(Ordering::Relaxed);
        let new = (old & !selected) | (value & selected);
        // Bits that the mask selects and the TD may not write must be as they are.
        let untouched = (old ^ value) & mask & !write.bits == 0;
        if !untouched || !(write.check)(td, old, new) {
            return Err(Status::METADATA_FIELD_VALUE_NOT_VALID);
        }
        match cell.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(old) => Ok(old),
            Err(_) => Err(Status::operand_busy(OperandId::METADATA_FIELD)),
        }
    }

    /// The name of the field that an identifier means, and which element of it.
    pub(crate) fn name(&self, id: u64) -> Option<(&'static str, u32, u32)> {
        let wanted = FieldId(id);
        self.0.iter().find_map(|field| {
            let first = FieldId(field.id);
            let element = wanted.field().checked_sub(first.field())?;
            (wanted.class() == first.class() && element < field.elements).then_some((
                field.name,
                element,
                field.elements,
            ))
        })
    }
}

/// The metadata that changes while a TD runs.
#[derive(Debug)]
pub(crate) struct Metadata {
    notify_enables: AtomicU64,
    td_ctls: AtomicU64,
}

impl Metadata {
    pub(crate) fn new(parameters: &TdParameters) -> Self {
        let disabled = parameters.attributes.contains(Attributes::SEPT_VE_DISABLE);
        let attribute = if disabled {
            td_ctls::PENDING_VE_DISABLE
        } else {
            0
        };
        Self {
            notify_enables: AtomicU64::new(0),
            td_ctls: AtomicU64::new(parameters.td_ctls | attribute),
        }
    }

    pub(crate) fn td_ctls(&self) -> u64 {
        self.td_ctls.load(Ordering::Relaxed)
    }
}

/// Whether TD_CTLS may change like that.
fn check_td_ctls(td: &Td, old: u64, new: u64) -> bool {
    let changed = old ^ new;
    let flexible = td.config_flags() & config_flags::FLEXIBLE_PENDING_VE != 0;
    let locked = old & td_ctls::LOCK != 0 && changed != 0;
    let pending_ve = changed & td_ctls::PENDING_VE_DISABLE != 0 && !flexible;
    let topology = new & td_ctls::ENUM_TOPOLOGY != 0 && !td.parameters.topology_enum_configured;
    !locked && !pending_ve && !topology
}
