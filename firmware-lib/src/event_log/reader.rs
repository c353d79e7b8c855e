// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reads a log.

use super::walk::Walk;
use super::{Event, EventError, HeaderError, Replay, SpecId};
use crate::HashEngine;
use core::iter::FusedIterator;

/// A log of which the header was read.
#[derive(Clone, Copy, Debug)]
pub struct EventLog<'a> {
    walk: Walk<'a>,
}

impl<'a> EventLog<'a> {
    /// Reads the header of a log. What is behind the last event, be it 0xff, zeros or nothing, does not matter.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] when the bytes do not begin with a header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        Ok(Self {
            walk: Walk::new(bytes)?,
        })
    }

    /// The header.
    pub fn spec_id(&self) -> &SpecId<'a> {
        self.walk.spec_id()
    }

    /// The events behind the header, in order. An error is the last item.
    pub fn events(&self) -> Events<'a> {
        Events {
            walk: self.walk,
            failed: false,
        }
    }

    /// Extends registers that start with zeros as the events say.
    ///
    /// # Errors
    ///
    /// [`EventError`] when an event is broken. To go as far as possible, apply the [events](Self::events) to a [`Replay`]
    /// one by one.
    pub fn replay<E: HashEngine>(&self, engine: E) -> Result<Replay<E>, EventError> {
        let mut replay = Replay::new(engine);
        for event in self.events() {
            replay.apply(&event?);
        }
        Ok(replay)
    }
}

/// The events of a log. Ends behind the last one, or with the first error.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    walk: Walk<'a>,
    failed: bool,
}

impl Events<'_> {
    /// Where in the log the event is that comes next; at the end, how many bytes of the log are used.
    pub fn offset(&self) -> usize {
        self.walk.offset()
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<Event<'a>, EventError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let offset = self.walk.offset();
        match self.walk.step() {
            Ok(record) => record.map(|record| Ok(Event::new(offset, &record, self.walk.spec_id()))),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

impl FusedIterator for Events<'_> {}
