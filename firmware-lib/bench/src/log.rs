// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Replaying and writing a log beside bare hashing of the same bytes.

use std::hint::black_box;

use anyhow::Result;
use sha2::{Digest as _, Sha384};
use tdx_call::{ExtendBuffer, Gpa, OperandMut, Registers, Transport};
use tdx_firmware::event_log::{Event, EventLog, LogWriter};
use tdx_firmware::{Measurement, Sha2};

use crate::turns::{least, ratio};

/// How often a log is replayed or written in one turn.
const TIMES: usize = 10;

/// What is done with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Side {
    /// The library replays it.
    Replay,
    /// The same extensions, hashed without the library.
    BareReplay,
    /// The library hashes each event's data, and writes the event.
    Write,
    /// The same data, hashed without the library.
    BareWrite,
}

/// A TDX module that does nothing, so that what remains is the library's.
struct Idle;

// SAFETY: It accesses no memory, and says that it succeeded.
unsafe impl Transport for Idle {
    unsafe fn tdcall(&self, registers: &mut Registers) {
        registers.rax = 0;
    }
}

/// A log, and what is hashed when it is replayed.
pub(crate) struct Log<'a> {
    bytes: &'a [u8],
    events: Vec<Event<'a>>,
    extended: Vec<(usize, [u8; 48])>,
}

impl<'a> Log<'a> {
    /// Reads a log.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self> {
        let events: Vec<Event<'a>> = EventLog::parse(bytes)?.events().collect::<Result<_, _>>()?;
        let extended = events
            .iter()
            .filter_map(|event| Some((event.rtmr()? as usize, event.digest()?.0)))
            .collect();
        Ok(Self {
            bytes,
            events,
            extended,
        })
    }

    /// Does it as often as it is told.
    pub(crate) fn run(&self, side: Side, times: usize) {
        let mut area = vec![0; self.bytes.len()];
        for _ in 0..times {
            match side {
                Side::Replay => self.replay(),
                Side::BareReplay => self.bare_replay(),
                Side::Write => self.write(&mut area),
                Side::BareWrite => self.bare_write(),
            }
        }
    }

    fn replay(&self) {
        let log = EventLog::parse(black_box(self.bytes)).expect("it was parsed before");
        black_box(log.replay(Sha2).expect("it was read before").rtmrs().0);
    }

    fn bare_replay(&self) {
        let mut registers = [[0_u8; 48]; 4];
        for (rtmr, digest) in black_box(&self.extended) {
            let register = &mut registers[*rtmr];
            let hash = Sha384::new().chain_update(&*register).chain_update(digest);
            *register = hash.finalize().into();
        }
        black_box(registers);
    }

    fn write(&self, area: &mut [u8]) {
        let mut buffer = ExtendBuffer::ZERO;
        let gpa = Gpa(&raw const buffer as u64);
        // SAFETY: The TDX module above accesses no memory.
        let buffer = unsafe { OperandMut::new(&mut buffer, gpa) };
        let writer = LogWriter::new(area).expect("the log was in as many bytes");
        let mut measurement = Measurement::new(Idle, buffer, Sha2, writer);
        for event in black_box(&self.events) {
            if let Some(rtmr) = event.rtmr() {
                measurement
                    .measure(rtmr, event.event_type, &[event.data], &[event.data])
                    .expect("the TDX module does not refuse");
            }
        }
        black_box(measurement.log().bytes());
    }

    fn bare_write(&self) {
        for event in black_box(&self.events) {
            black_box(Sha384::digest(event.data));
        }
    }

    /// Prints how the sides compare in time.
    pub(crate) fn compare(&self, rounds: u32) {
        for (what, side, bare) in PAIRS {
            let times = least(
                rounds,
                &mut [&mut || self.run(side, TIMES), &mut || self.run(bare, TIMES)],
            );
            println!(
                "{what} {} events: {:.3} of the time of bare hashing, {} ns for each",
                self.events.len(),
                ratio(times[0], times[1]),
                times[0].as_nanos() / (TIMES * self.events.len()) as u128
            );
        }
    }
}

/// What is compared.
pub(crate) const PAIRS: [(&str, Side, Side); 2] = [
    ("replaying", Side::Replay, Side::BareReplay),
    ("measuring", Side::Write, Side::BareWrite),
];
