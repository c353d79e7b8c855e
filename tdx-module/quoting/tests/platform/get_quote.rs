// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the host of a TD gets for GetQuote.

use crate::support::{framed_request, report, unframed, Fixture};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tdx_quoting::qgs::ErrorCode;
use tdx_quoting::{Clock, PlatformConfig, QuoteReply, QuoteStatus, QuotingService};
use zerocopy::IntoBytes;

/// A clock that a test sets.
#[derive(Clone, Default)]
struct TestClock(Arc<Mutex<Duration>>);

impl TestClock {
    fn set(&self, millis: u64) {
        *self.0.lock().unwrap() = Duration::from_millis(millis);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wait_until(&self, _: Duration) {
        unreachable!("nothing waits in these tests");
    }
}

fn reply(service: &QuotingService, input: &[u8]) -> QuoteReply {
    let request = service.submit(input);
    service.poll(&request).expect("no delay was asked for")
}

fn fixture() -> (Fixture, QuotingService) {
    let config = PlatformConfig::default();
    let service = QuotingService::new(Fixture::new(&config).enclave);
    (Fixture::new(&config), service)
}

const ERROR: QuoteReply = QuoteReply {
    status: QuoteStatus::ERROR,
    data: Vec::new(),
};

#[test]
fn bare_report_gets_a_bare_quote() {
    let (fixture, service) = fixture();
    let reply = reply(&service, report().as_bytes());
    assert_eq!(reply.status, QuoteStatus::SUCCESS);
    assert_eq!(
        fixture.verify(&reply.data).expect("accepted").status,
        "UpToDate"
    );
}

#[test]
fn qgs_message_gets_a_qgs_message() {
    let (fixture, service) = fixture();
    let reply = reply(&service, &framed_request(1, report().as_bytes()));
    assert_eq!(reply.status, QuoteStatus::SUCCESS);
    let (header, quote) = unframed(&reply.data);
    assert_eq!(header.error, ErrorCode::SUCCESS.0);
    assert_eq!(fixture.verify(quote).expect("accepted").status, "UpToDate");
}

#[test]
fn refused_bare_report_is_an_error() {
    let (_, service) = fixture();
    let mut report = report();
    report.mac.mac[0] ^= 1;
    assert_eq!(reply(&service, report.as_bytes()), ERROR);
}

#[test]
fn refused_report_in_a_qgs_message_is_an_error_there() {
    let (_, service) = fixture();
    let mut report = report();
    report.mac.mac[0] ^= 1;
    let reply = reply(&service, &framed_request(1, report.as_bytes()));
    assert_eq!(reply.status, QuoteStatus::SUCCESS);
    let (header, quote) = unframed(&reply.data);
    assert_eq!(header.error, ErrorCode::UNEXPECTED.0);
    assert_eq!(quote, [0; 0]);
}

#[test]
fn input_of_another_length_is_an_error() {
    let (_, service) = fixture();
    let message = framed_request(1, report().as_bytes());
    assert_eq!(reply(&service, &[]), ERROR);
    assert_eq!(reply(&service, &report().as_bytes()[1..]), ERROR);
    assert_eq!(reply(&service, &message[..message.len() - 1]), ERROR);
    assert_eq!(reply(&service, &[&*message, &[0]].concat()), ERROR);
    assert_eq!(reply(&service, &[0; 16384]), ERROR);
}

#[test]
fn reply_comes_the_delay_after_the_request() {
    let clock = TestClock::default();
    let (_, service) = fixture();
    let service = service
        .with_delay(Duration::from_millis(50))
        .with_clock(clock.clone());
    let report = report();

    clock.set(1000);
    let first = service.submit(report.as_bytes());
    clock.set(1010);
    let second = service.submit(report.as_bytes());
    assert_eq!(first.due(), Duration::from_millis(1050));
    assert_eq!(second.due(), Duration::from_millis(1060));

    clock.set(1049);
    assert_eq!(service.poll(&first), None);
    clock.set(1050);
    let reply = service.poll(&first).expect("its time has come");
    assert_eq!(reply.status, QuoteStatus::SUCCESS);
    assert_eq!(service.poll(&second), None);
    clock.set(2000);
    assert_eq!(service.poll(&second), Some(reply));
}

proptest! {
    #[test]
    fn any_input_has_a_reply_of_bounded_length(
        mut input in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6000),
            Just(framed_request(1, report().as_bytes())),
            Just(report().as_bytes().to_vec()),
        ],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        static SERVICE: LazyLock<QuotingService> = LazyLock::new(|| fixture().1);
        for (at, value) in changes {
            if !input.is_empty() {
                let at = at.index(input.len());
                input[at] = value;
            }
        }
        let reply = reply(&SERVICE, &input);
        prop_assert!(reply.data.len() <= SERVICE.enclave().quote_len() + 28);
        if reply.status != QuoteStatus::SUCCESS {
            prop_assert_eq!(reply, ERROR);
        }
    }
}
