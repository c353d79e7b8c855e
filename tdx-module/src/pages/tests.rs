// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The runs of a page map against the same thing page by page.

extern crate std;

use super::{Acceptance, PageMap, PageState, LARGE};
use crate::{Cause, RamRange, RamState};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;
use tdx_call::PageSize;

const PAGES: u64 = 4 * LARGE;
const SMALL_PAGE: PageState = PageState::Accepted(PageSize::Size4K);
const LARGE_PAGE: PageState = PageState::Accepted(PageSize::Size2M);

/// A change: a range of pages, and what they become.
#[derive(Debug, Clone)]
struct Change {
    start: u64,
    length: u64,
    state: PageState,
}

fn change() -> impl Strategy<Value = Change> {
    let edge = prop_oneof![0..PAGES, (0..4_u64).prop_map(|page| page * LARGE)];
    let states = vec![PageState::Shared, PageState::Pending, SMALL_PAGE];
    let any = (edge, 0..700_u64, prop::sample::select(states));
    let some = any.prop_map(|(start, length, state)| Change {
        start,
        length: length.min(PAGES - start),
        state,
    });
    let large = (0..4_u64).prop_map(|page| Change {
        start: page * LARGE,
        length: LARGE,
        state: LARGE_PAGE,
    });
    prop_oneof![3 => some, 1 => large]
}

/// Makes a change page by page. A 2 MiB page that is not wholly in it becomes 4 KiB pages.
fn set(pages: &mut [Option<PageState>], change: &Change) {
    let range = change.start..change.start + change.length;
    if range.is_empty() {
        return;
    }
    for large in (0..PAGES).step_by(LARGE as usize) {
        let edges = [range.start, range.end];
        let cut = edges
            .into_iter()
            .any(|edge| large < edge && edge < large + LARGE);
        if cut {
            for page in &mut pages[large as usize..][..LARGE as usize] {
                if *page == Some(LARGE_PAGE) {
                    *page = Some(SMALL_PAGE);
                }
            }
        }
    }
    pages[range.start as usize..range.end as usize].fill(Some(change.state));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn runs_are_what_page_by_page_would_be(changes in prop::collection::vec(change(), 0..40)) {
        let mut map = PageMap::new(&[], true);
        let mut pages = vec![None; PAGES as usize];
        for change in &changes {
            map.set(change.start..change.start + change.length, change.state);
            set(&mut pages, change);
        }
        for (page, state) in pages.iter().enumerate() {
            prop_assert_eq!(map.state(page as u64), *state, "page {}", page);
        }
        // Runs are as long as they can be, so their number is bounded by what a TD tells apart.
        let runs: Vec<_> = map.runs(0..PAGES).collect();
        for pair in runs.windows(2) {
            prop_assert!(pair[0].0.end < pair[1].0.start || pair[0].1 != pair[1].1);
        }
        for (run, state) in runs {
            let aligned = run.start % LARGE == 0 && run.end % LARGE == 0;
            prop_assert!(state != LARGE_PAGE || aligned, "{:?}", run);
        }
    }
}

#[test]
fn a_demotion_that_joins_runs_loses_no_boundary() {
    let mut map = PageMap::new(&[], true);
    map.set(0..2 * LARGE, LARGE_PAGE);
    map.set(0..1, PageState::Shared);
    map.set(LARGE..LARGE + 1, PageState::Pending);
    let expected = [
        (0..1, PageState::Shared),
        (1..LARGE, SMALL_PAGE),
        (LARGE..LARGE + 1, PageState::Pending),
        (LARGE + 1..2 * LARGE, SMALL_PAGE),
    ];
    assert_eq!(map.runs(0..PAGES).collect::<Vec<_>>(), expected);
}

#[test]
fn accepted_memory_starts_in_pages_as_large_as_they_can_be() {
    let ram = [RamRange {
        range: 0x1000..0x60_1000,
        state: RamState::Accepted,
    }];
    let states = |map: PageMap| [0, 1, 511, 512, 1535, 1536, 1537].map(|page| map.state(page));
    let (small, large) = (Some(SMALL_PAGE), Some(LARGE_PAGE));
    let expected = [None, small, small, large, large, small, None];
    assert_eq!(states(PageMap::new(&ram, true)), expected);
    let expected = [None, small, small, small, small, small, None];
    assert_eq!(states(PageMap::new(&ram, false)), expected);
}

#[test]
fn memory_that_holds_no_large_page_has_none() {
    let ram = [RamRange {
        range: 0x1000..0x20_0000,
        state: RamState::Accepted,
    }];
    let map = PageMap::new(&ram, true);
    assert_eq!(
        map.runs(0..PAGES).collect::<Vec<_>>(),
        [(1..512, SMALL_PAGE)]
    );
}

#[test]
fn a_large_page_with_a_hole_is_a_size_mismatch() {
    let mut map = PageMap::new(&[], true);
    map.set(0..100, PageState::Pending);
    assert_eq!(
        map.acceptance(0, PageSize::Size2M),
        Acceptance::SizeMismatch
    );
    map.set(0..100, PageState::Shared);
    let shared = Acceptance::Violation(Cause::Shared);
    assert_eq!(map.acceptance(0, PageSize::Size2M), shared);
    map.set(50..51, SMALL_PAGE);
    assert_eq!(
        map.acceptance(0, PageSize::Size2M),
        Acceptance::SizeMismatch
    );
}
