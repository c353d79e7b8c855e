// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Many vCPUs at once.

use crate::bench::{leaf, parameters, SHARED};
use sha2::{Digest as _, Sha384};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;
use tdx_call::{leaf, Gpa, OperandId, Registers, RtmrIndex, Status, Vmcall};
use tdx_module::{HostPolicy, Machine, Outcome, PageState, Platform, Td, TdParameters, Unmapped};
use tdx_uapi::{Digest, TdReport};

/// The memory of one vCPU: a page at 0x1000 times its number plus one, so that vCPUs share nothing but the TD.
struct Page {
    base: u64,
    bytes: Mutex<[u8; 4096]>,
}

impl Page {
    fn new(vcpu: u32) -> Self {
        Self {
            base: 0x1000 * (u64::from(vcpu) + 1),
            bytes: Mutex::new([0; 4096]),
        }
    }

    fn at(&self, gpa: Gpa) -> usize {
        (gpa.0 - self.base) as usize
    }
}

impl Machine for Page {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        let at = self.at(gpa);
        buffer.copy_from_slice(&self.bytes.lock().unwrap()[at..][..buffer.len()]);
        Ok(())
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        let at = self.at(gpa);
        self.bytes.lock().unwrap()[at..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}

const VCPUS: u32 = 4;

fn td(platform: Platform) -> Td {
    let parameters = TdParameters {
        vcpus: VCPUS,
        max_vcpus: VCPUS,
        ..parameters()
    };
    Td::new(parameters, platform, HostPolicy::default()).expect("a TD")
}

fn status(td: &Td, vcpu: u32, page: &Page, mut registers: Registers) -> Status {
    let outcome = td.tdcall(vcpu, &mut registers, page);
    assert_eq!(outcome, Outcome::Completed);
    Status(registers.rax)
}

/// Repeats a call while a lock is taken.
fn until_free(td: &Td, vcpu: u32, page: &Page, registers: Registers) {
    loop {
        match status(td, vcpu, page, registers) {
            Status::SUCCESS => return,
            busy => assert_eq!(busy, Status::operand_busy(OperandId::RTMR)),
        }
        thread::yield_now();
    }
}

/// A register after each of so many extensions by the same data.
fn chain(data: [u8; 48], length: usize) -> Vec<Digest> {
    let mut chain = vec![Digest::ZERO];
    for _ in 0..length {
        let last = chain[chain.len() - 1];
        let hash = Sha384::new().chain_update(last.0).chain_update(data);
        chain.push(Digest(hash.finalize().into()));
    }
    chain
}

#[test]
fn extensions_and_reports_of_four_vcpus_keep_the_hash_chains() {
    const ROUNDS: usize = 300;
    let td = td(Platform::default());
    let common = chain([0xaa; 48], ROUNDS * VCPUS as usize);
    let barrier = Barrier::new(VCPUS as usize);
    thread::scope(|scope| {
        for vcpu in 0..VCPUS {
            let (td, common, barrier) = (&td, &common, &barrier);
            scope.spawn(move || {
                let page = Page::new(vcpu);
                let write = |at: usize, bytes: &[u8]| {
                    page.bytes.lock().unwrap()[at..][..bytes.len()].copy_from_slice(bytes);
                };
                write(2048, &[0xaa; 48]);
                write(2112, &[vcpu as u8; 48]);
                let base = page.base;
                let mut seen = 0;
                barrier.wait();
                for _ in 0..ROUNDS {
                    // All extend RTMR3 alike; the first three have a register of their own besides.
                    until_free(
                        td,
                        vcpu,
                        &page,
                        leaf(leaf::MR_RTMR_EXTEND, base + 2048, 3, 0),
                    );
                    if vcpu < 3 {
                        let own = leaf(leaf::MR_RTMR_EXTEND, base + 2112, vcpu.into(), 0);
                        until_free(td, vcpu, &page, own);
                    }
                    until_free(td, vcpu, &page, leaf(leaf::MR_REPORT, base, base + 2048, 0));
                    let bytes = *page.bytes.lock().unwrap();
                    let report = TdReport::parse(&bytes[..1024]).expect("a report");
                    let hashed = report.check_hashes(|bytes| Sha384::digest(bytes).into());
                    hashed.expect("hashes hold");
                    // What a report shows of the chain is on it, and never older than what was seen before.
                    let now = report.td_info.rtmr[3];
                    let position = common.iter().position(|link| *link == now);
                    let position = position.expect("a link of the chain");
                    assert!(position > seen, "{position} after {seen}");
                    seen = position;
                }
            });
        }
    });
    assert_eq!(Some(&td.rtmr(RtmrIndex::Rtmr3)), common.last());
    for (vcpu, index) in RtmrIndex::ALL.into_iter().enumerate().take(3) {
        let own = chain([vcpu as u8; 48], ROUNDS);
        assert_eq!(Some(&td.rtmr(index)), own.last());
    }
}

/// A vCPU whose report takes until the test lets it go on.
struct Slow {
    page: Page,
    sleeps: Sender<()>,
    wake: Mutex<Receiver<()>>,
}

impl Machine for Slow {
    fn read(&self, gpa: Gpa, buffer: &mut [u8]) -> Result<(), Unmapped> {
        self.page.read(gpa, buffer)
    }

    fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        self.page.write(gpa, bytes)
    }

    fn sleep(&self, time: Duration) {
        assert_eq!(time, Duration::from_millis(5));
        self.sleeps.send(()).expect("the test waits");
        let woken = self.wake.lock().unwrap().recv_timeout(PATIENCE);
        woken.expect("the test wakes all");
    }
}

/// Longer than anything here takes, on however loaded a machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn reports_take_their_time_side_by_side_and_let_others_extend() {
    let td = td(Platform {
        report_time: Duration::from_millis(5),
        ..Platform::default()
    });
    let (sleeps, sleeping) = channel();
    thread::scope(|scope| {
        let mut wake = Vec::new();
        for vcpu in 0..3 {
            let (td, sleeps) = (&td, sleeps.clone());
            let (waker, woken) = channel();
            wake.push(waker);
            scope.spawn(move || {
                let slow = Slow {
                    page: Page::new(vcpu),
                    sleeps,
                    wake: Mutex::new(woken),
                };
                let base = slow.page.base;
                let mut registers = leaf(leaf::MR_REPORT, base, base + 2048, 0);
                let outcome = td.tdcall(vcpu, &mut registers, &slow);
                assert_eq!((outcome, registers.rax), (Outcome::Completed, 0));
                let report = *slow.page.bytes.lock().unwrap();
                // Made before the extension, whenever it was finished.
                let report = TdReport::parse(&report[..1024]).expect("a report");
                assert_eq!(report.td_info.rtmr[0], Digest::ZERO);
            });
        }
        for _ in 0..3 {
            let asleep = sleeping.recv_timeout(PATIENCE);
            asleep.expect("all three are in the middle of a report at once");
        }
        let page = Page::new(3);
        let extend = leaf(leaf::MR_RTMR_EXTEND, page.base, 0, 0);
        assert_eq!(status(&td, 3, &page, extend), Status::SUCCESS);
        for waker in wake {
            waker.send(()).expect("it sleeps");
        }
    });
    assert_ne!(td.rtmr(RtmrIndex::Rtmr0), Digest::ZERO);
}

#[test]
fn vcpus_can_convert_and_accept_neighbouring_pages() {
    let td = td(Platform::default());
    thread::scope(|scope| {
        for vcpu in 0..VCPUS {
            let td = &td;
            scope.spawn(move || {
                let page = Page::new(vcpu);
                for _ in 0..200 {
                    for start in [page.base | SHARED, page.base] {
                        let map = Registers {
                            rcx: Vmcall::MASK,
                            r11: Vmcall::MAP_GPA,
                            r12: start,
                            r13: 0x1000,
                            ..Registers::leaf(leaf::VP_VMCALL)
                        };
                        until_free(td, vcpu, &page, map);
                    }
                    let accept = leaf(leaf::MEM_PAGE_ACCEPT, page.base, 0, 0);
                    until_free(td, vcpu, &page, accept);
                }
            });
        }
    });
    for vcpu in 0..VCPUS {
        let state = td.page_state(Gpa(0x1000 * u64::from(vcpu + 1)));
        assert!(matches!(state, Some(PageState::Accepted(_))));
    }
}
