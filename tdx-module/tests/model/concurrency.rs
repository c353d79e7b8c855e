// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Many vCPUs at once.

use crate::bench::{leaf, parameters, SHARED};
use sha2::{Digest as _, Sha384};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};
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

#[test]
fn reports_of_four_vcpus_wait_at_once_and_let_others_extend() {
    let time = Duration::from_millis(300);
    let td = td(Platform {
        report_time: time,
        ..Platform::default()
    });
    let begun = Instant::now();
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for vcpu in 0..3 {
            let (td, done) = (&td, &done);
            scope.spawn(move || {
                let page = Page::new(vcpu);
                let report = leaf(leaf::MR_REPORT, page.base, page.base + 2048, 0);
                until_free(td, vcpu, &page, report);
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        thread::sleep(time / 3);
        let page = Page::new(3);
        until_free(&td, 3, &page, leaf(leaf::MR_RTMR_EXTEND, page.base, 0, 0));
        until_free(&td, 3, &page, Registers::leaf(leaf::VP_INFO));
        assert_eq!(done.load(Ordering::Relaxed), 0, "no report is made yet");
    });
    let taken = begun.elapsed();
    assert!(
        taken >= time && taken < 2 * time,
        "three at once took {taken:?}"
    );
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
