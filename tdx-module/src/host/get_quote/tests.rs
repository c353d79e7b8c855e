// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A TD of a few pages asks for Quotes.

use super::*;
use crate::{HostPolicy, Outcome, Platform, RamRange, RamState, TdParameters};
use core::time::Duration;
use spin::Mutex;
use tdx_call::{Transport, Vmcall};

/// Where the shared buffer of two pages is; what follows it is private.
const BUFFER: u64 = 0x2000;
const SIZE: u64 = 0x2000;

/// A TD with its memory, and the jobs that wait to be done.
struct Machinery {
    td: Td,
    memory: Mutex<Vec<u8>>,
    jobs: Mutex<Vec<QuoteJob>>,
    has_service: bool,
}

impl Machine for Machinery {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        let memory = self.memory.lock();
        let from = memory.get(gpa.0 as usize..).ok_or(Unmapped)?;
        buffer.copy_from_slice(from.get(..buffer.len()).ok_or(Unmapped)?);
        Ok(())
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        let mut memory = self.memory.lock();
        let to = memory.get_mut(gpa.0 as usize..).ok_or(Unmapped)?;
        to.get_mut(..bytes.len())
            .ok_or(Unmapped)?
            .copy_from_slice(bytes);
        Ok(())
    }

    fn sleep(&self, _: Duration) {}

    fn make_quote(&self, job: QuoteJob) -> Result<(), QuoteJob> {
        if !self.has_service {
            return Err(job);
        }
        self.jobs.lock().push(job);
        Ok(())
    }
}

// SAFETY: The memory is the object's own.
unsafe impl Transport for Machinery {
    unsafe fn tdcall(&self, registers: &mut Registers) {
        assert_eq!(self.td.tdcall(0, registers, self), Outcome::Completed);
    }
}

impl Machinery {
    fn new(behaviour: QuoteBehaviour) -> Self {
        let parameters = TdParameters {
            ram: [RamRange {
                range: 0..0x6000,
                state: RamState::Accepted,
            }]
            .into(),
            ..TdParameters::default()
        };
        let policy = HostPolicy {
            quote_behaviour: behaviour,
            ..HostPolicy::default()
        };
        let td = Td::new(parameters, Platform::default(), policy).unwrap();
        let machine = Self {
            td,
            memory: Mutex::new(vec![0; 0x6000]),
            jobs: Mutex::default(),
            has_service: true,
        };
        assert_eq!(
            machine.call(Vmcall::MAP_GPA, machine.shared(BUFFER), SIZE),
            VmcallStatus::SUCCESS
        );
        machine
    }

    fn shared(&self, gpa: u64) -> u64 {
        gpa | self.td.parameters().shared_bit()
    }

    fn call(&self, function: u64, r12: u64, r13: u64) -> VmcallStatus {
        let arguments = [r12, r13, 0, 0];
        let call = Vmcall {
            function,
            arguments,
        };
        // SAFETY: The memory is the object's own.
        unsafe { tdx_call::vp_vmcall(self, call) }.unwrap().0
    }

    /// Writes a request with this header and a TDREPORT, and asks.
    fn ask(&self, header: &TdxQuoteHdr) -> VmcallStatus {
        self.write(Gpa(BUFFER), header.as_bytes()).unwrap();
        self.write(Gpa(BUFFER + 24), &report()).unwrap();
        self.call(Vmcall::GET_QUOTE, self.shared(BUFFER), SIZE)
    }

    fn header(&self) -> TdxQuoteHdr {
        let mut header = TdxQuoteHdr::new_zeroed();
        self.read(Gpa(BUFFER), header.as_mut_bytes()).unwrap();
        header
    }

    fn status(&self) -> QuoteStatus {
        self.header().status()
    }

    fn data(&self, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.read(Gpa(BUFFER + 24), &mut data).unwrap();
        data
    }

    /// Does the jobs, with what [`quote`] makes.
    fn work(&self) {
        for job in core::mem::take(&mut *self.jobs.lock()) {
            let quote = quote(job.data());
            self.td.finish_quote(&job, Some(quote), self);
        }
    }
}

fn request() -> TdxQuoteHdr {
    TdxQuoteHdr {
        version: 1,
        status: 0,
        in_len: 1024,
        out_len: 0,
    }
}

fn report() -> [u8; 1024] {
    let mut report = [0x81; 1024];
    report[128..192].copy_from_slice(&[0x5a; 64]);
    report
}

/// Nothing but a prefix and the REPORTDATA.
fn quote(report: &[u8]) -> Vec<u8> {
    [&[4, 0, 0, 0], &report[128..192]].concat()
}

#[test]
fn a_request_is_in_flight_until_it_is_answered() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    assert_eq!(machine.ask(&request()), VmcallStatus::SUCCESS);
    assert_eq!(machine.status(), QuoteStatus::IN_FLIGHT);
    assert_eq!(machine.jobs.lock()[0].data(), report());
    // What the TD writes now is nobody's business any more.
    machine.write(Gpa(BUFFER + 24), &[0; 1024]).unwrap();
    machine.work();
    let header = machine.header();
    assert_eq!(
        (header.status(), header.out_len),
        (QuoteStatus::SUCCESS, 68)
    );
    assert_eq!(machine.data(68), quote(&report()));
    assert_eq!(machine.td.quote_requests(), 1);
}

#[test]
fn a_host_takes_no_buffer_but_whole_shared_pages() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    let ask = |gpa, size| machine.call(Vmcall::GET_QUOTE, gpa, size);
    let shared = machine.shared(BUFFER);
    assert_eq!(ask(shared + 8, SIZE), VmcallStatus::ALIGN_ERROR);
    assert_eq!(ask(shared, SIZE + 8), VmcallStatus::ALIGN_ERROR);
    for (gpa, size) in [
        (shared, 0),
        (shared, 256 << 10),
        (shared, SIZE + 0x1000),
        (BUFFER, SIZE),
        (machine.shared(0x10_0000), SIZE),
    ] {
        assert_eq!(ask(gpa, size), VmcallStatus::INVALID_OPERAND);
    }
}

#[test]
fn a_host_takes_no_request_that_is_none() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    let bad = [
        TdxQuoteHdr {
            version: 2,
            ..request()
        },
        TdxQuoteHdr {
            in_len: 0,
            ..request()
        },
        TdxQuoteHdr {
            in_len: SIZE as u32 - 23,
            ..request()
        },
    ];
    for header in bad {
        assert_eq!(machine.ask(&header), VmcallStatus::INVALID_OPERAND);
        assert_eq!(machine.header(), header);
    }
}

#[test]
fn without_a_service_it_is_unavailable() {
    let mut machine = Machinery::new(QuoteBehaviour::Honest);
    machine.has_service = false;
    assert_eq!(machine.ask(&request()), VmcallStatus::SUCCESS);
    assert_eq!(machine.status(), QuoteStatus::SERVICE_UNAVAILABLE);
}

#[test]
fn a_service_that_makes_nothing_is_an_error() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    machine.ask(&request());
    let job = machine.jobs.lock().remove(0);
    machine.td.finish_quote(&job, None, &machine);
    assert_eq!(machine.status(), QuoteStatus::ERROR);
    machine.ask(&request());
    let job = machine.jobs.lock().remove(0);
    let too_long = vec![0; SIZE as usize];
    machine.td.finish_quote(&job, Some(too_long), &machine);
    assert_eq!(machine.status(), QuoteStatus::ERROR);
}

#[test]
fn sixteen_requests_are_enough() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    for _ in 0..16 {
        assert_eq!(machine.ask(&request()), VmcallStatus::SUCCESS);
    }
    assert_eq!(machine.ask(&request()), VmcallStatus::RETRY);
    machine.work();
    assert_eq!(machine.ask(&request()), VmcallStatus::SUCCESS);
}

#[test]
fn memory_that_was_taken_back_is_not_written() {
    let machine = Machinery::new(QuoteBehaviour::Honest);
    machine.ask(&request());
    machine.call(Vmcall::MAP_GPA, BUFFER, SIZE);
    let before = machine.memory.lock().clone();
    machine.work();
    assert!(*machine.memory.lock() == before);
}

#[test]
fn a_hostile_host_answers_as_it_is_told() {
    let answer = |behaviour| {
        let machine = Machinery::new(behaviour);
        machine.ask(&request());
        machine.work();
        let header = machine.header();
        (header.status(), header.out_len, machine.data(68))
    };
    use QuoteBehaviour as Q;
    assert_eq!(answer(Q::Never).0, QuoteStatus::IN_FLIGHT);
    assert_eq!(answer(Q::Huge).1, u32::MAX);
    assert_eq!(answer(Q::Empty).1, 0);
    assert_eq!(answer(Q::Error).0, QuoteStatus::ERROR);
    assert_eq!(answer(Q::Unavailable).0, QuoteStatus::SERVICE_UNAVAILABLE);
    assert_eq!(answer(Q::UnknownStatus).0.name(), None);
    let other = answer(Q::OtherReportData).2;
    assert_ne!(other[4..], report()[128..192]);
    assert_eq!(other[..4], quote(&report())[..4]);

    let machine = Machinery::new(Q::Unmarked);
    machine.ask(&TdxQuoteHdr {
        status: 99,
        ..request()
    });
    assert_eq!(machine.status(), QuoteStatus(99));
}

#[test]
fn a_changing_answer_has_every_status_and_length() {
    let machine = Machinery::new(QuoteBehaviour::Changing);
    machine.ask(&request());
    let job = machine.jobs.lock().remove(0);
    assert!(job.is_changing());
    machine
        .td
        .finish_quote(&job, Some(quote(&report())), &machine);
    let (mut statuses, mut lengths) = (Vec::new(), Vec::new());
    for step in 0..200 {
        machine.td.meddle(&job, step, &machine);
        let header = machine.header();
        statuses.push(header.status);
        lengths.push(header.out_len);
    }
    assert!([0, u64::MAX].iter().all(|status| statuses.contains(status)));
    assert!([0, 5000, u32::MAX].iter().all(|len| lengths.contains(len)));
}
