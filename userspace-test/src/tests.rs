// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tests: a module for each subject, whose functions are statements about a driver.

mod compat;
mod concurrency;
mod debug_kernel;
mod form_1_0;
mod hostile;
mod lifetime;
mod log;
mod nodes;
mod not_a_td;
mod pointers;
mod quotes;
mod refused;
mod registers;
mod report;
mod rivals;
mod signals;
mod stalled_copies;
mod verify;
mod weaknesses;

use crate::harness::Test;

/// All of them, in the order in which they are run: those that take the driver away come last.
pub(crate) fn all() -> Vec<Test> {
    [
        nodes::TESTS,
        report::TESTS,
        form_1_0::TESTS,
        pointers::TESTS,
        compat::TESTS,
        stalled_copies::TESTS,
        concurrency::TESTS,
        signals::TESTS,
        refused::TESTS,
        verify::TESTS,
        registers::TESTS,
        quotes::TESTS,
        hostile::TESTS,
        weaknesses::TESTS,
        lifetime::TESTS,
        rivals::TESTS,
        not_a_td::TESTS,
        debug_kernel::TESTS,
        log::TESTS,
    ]
    .concat()
}
