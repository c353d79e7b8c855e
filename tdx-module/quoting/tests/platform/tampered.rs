// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Quotes in which a byte was changed.

use crate::changed::every_byte;
use crate::support::{report, report_after_update, Fixture};
use tdx_quoting::PlatformConfig;
use tdx_uapi::TdReport;

fn every_other_changed_byte_is_refused(report: &TdReport) {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = fixture.enclave.quote(report).expect("a Quote");
    let original = fixture.verify(&quote).expect("to be accepted");
    let tally = every_byte(&quote, &original, |changed| fixture.verify(changed))
        .expect("no change that matters to be accepted");
    assert_eq!(tally.changed, 2 * quote.len());
    assert!(tally.refused >= 2 * tally.material, "{tally:?}");
    assert!(tally.material > 3900, "{tally:?} of {} bytes", quote.len());
}

#[test]
fn every_changed_byte_of_a_version_4_quote_is_refused_or_immaterial() {
    every_other_changed_byte_is_refused(&report());
}

#[test]
fn every_changed_byte_of_a_version_5_quote_is_refused_or_immaterial() {
    every_other_changed_byte_is_refused(&report_after_update());
}
