// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What each page of a TD's memory is: private or shared, accepted or pending.
//!
//! This stands for the secure EPT and the host's own tables at once. Pages are counted in frame numbers of 4 KiB, and
//! kept as runs of one state.

#[cfg(test)]
mod tests;

use crate::{Cause, RamRange, RamState};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use tdx_call::PageSize;

/// 4 KiB pages in one of 2 MiB.
pub(crate) const LARGE: u64 = 512;

/// The state of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Shared with the host.
    Shared,
    /// Private, and waiting to be accepted.
    Pending,
    /// Private and the TD's, mapped in pages of this size.
    Accepted(PageSize),
}

/// The states of all pages.
///
/// # Invariants
///
/// Runs are not empty, do not overlap, and neighbours of one state are one run. A run that is accepted in 2 MiB pages
/// begins and ends on a multiple of 2 MiB.
#[derive(Debug)]
pub(crate) struct PageMap {
    /// The end and state of each run, by its start.
    runs: BTreeMap<u64, (u64, PageState)>,
    large_pages: bool,
}

/// What TDG.MEM.PAGE.ACCEPT finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// The page is pending, and mapped at the size that was asked for.
    Acceptable,
    /// It is accepted, and mapped at this size.
    Already(PageSize),
    /// It is mapped in smaller pages.
    SizeMismatch,
    /// There is nothing to accept.
    Violation(Cause),
}

impl PageMap {
    /// The map of a TD that starts with this memory. Ranges must not overlap.
    pub(crate) fn new(ram: &[RamRange], large_pages: bool) -> Self {
        let mut map = Self {
            runs: BTreeMap::new(),
            large_pages,
        };
        for RamRange { range, state } in ram {
            let pages = range.start >> 12..range.end >> 12;
            match state {
                RamState::Pending => map.set(pages, PageState::Pending),
                RamState::Accepted => {
                    map.set(pages.clone(), PageState::Accepted(PageSize::Size4K));
                    let large = pages.start.next_multiple_of(LARGE)..pages.end / LARGE * LARGE;
                    if large_pages {
                        map.set(large, PageState::Accepted(PageSize::Size2M));
                    }
                }
            }
        }
        map
    }

    /// Whether pending memory is mapped in 2 MiB pages where it can be.
    pub(crate) fn large_pages(&self) -> bool {
        self.large_pages
    }

    /// The state of a page; `None` where there is no memory.
    pub(crate) fn state(&self, page: u64) -> Option<PageState> {
        self.run(page).map(|(_, state)| state)
    }

    /// The run that a page is in.
    fn run(&self, page: u64) -> Option<(Range<u64>, PageState)> {
        let (&start, &(end, state)) = self.runs.range(..=page).next_back()?;
        (page < end).then_some((start..end, state))
    }

    /// The runs in a range, cut to it. What is missing between them is no memory.
    pub(crate) fn runs(
        &self,
        pages: Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, PageState)> + '_ {
        let first = self
            .run(pages.start)
            .map_or(pages.start, |(run, _)| run.start);
        let within = self.runs.range(first..pages.end.max(first));
        within
            .map(move |(&start, &(end, state))| (start.max(pages.start)..end.min(pages.end), state))
    }

    /// Gives all pages of a range this state.
    pub(crate) fn set(&mut self, pages: Range<u64>, state: PageState) {
        if pages.is_empty() {
            return;
        }
        // Demotion may join runs, so both ends come before either is cut.
        self.demote(pages.start);
        self.demote(pages.end);
        self.cut(pages.start);
        self.cut(pages.end);
        self.replace(pages, state);
    }

    /// Makes the 2 MiB page that `page` is inside of 4 KiB pages, as a host demotes it.
    fn demote(&mut self, page: u64) {
        let large = PageState::Accepted(PageSize::Size2M);
        if page % LARGE != 0 && self.state(page) == Some(large) {
            let start = page / LARGE * LARGE;
            self.cut(start);
            self.cut(start + LARGE);
            self.replace(start..start + LARGE, PageState::Accepted(PageSize::Size4K));
        }
    }

    /// Makes `page` the start of a run, if it is in one.
    fn cut(&mut self, page: u64) {
        if let Some((run, state)) = self.run(page).filter(|(run, _)| run.start != page) {
            self.runs.insert(run.start, (page, state));
            self.runs.insert(page, (run.end, state));
        }
    }

    /// Replaces whole runs, and joins the new one with neighbours of its state.
    fn replace(&mut self, pages: Range<u64>, state: PageState) {
        let old: Vec<u64> = self
            .runs
            .range(pages.clone())
            .map(|(&start, _)| start)
            .collect();
        for start in old {
            self.runs.remove(&start);
        }
        let mut run = pages;
        if let Some((before, (end, same))) = self.runs.range(..run.start).next_back() {
            if *end == run.start && *same == state {
                run.start = *before;
            }
        }
        if let Some((end, same)) = self.runs.get(&run.end).copied() {
            if same == state {
                self.runs.remove(&run.end);
                run.end = end;
            }
        }
        self.runs.insert(run.start, (run.end, state));
    }

    /// What accepting the page of this size at `page` meets.
    pub(crate) fn acceptance(&self, page: u64, size: PageSize) -> Acceptance {
        match size {
            PageSize::Size4K => match self.state(page) {
                Some(PageState::Pending) => Acceptance::Acceptable,
                Some(PageState::Accepted(size)) => Acceptance::Already(size),
                Some(PageState::Shared) => Acceptance::Violation(Cause::Shared),
                None => Acceptance::Violation(Cause::Absent),
            },
            PageSize::Size2M => self.large_acceptance(page),
        }
    }

    fn large_acceptance(&self, page: u64) -> Acceptance {
        let whole = page..page + LARGE;
        let mut runs = self.runs(whole.clone());
        let first = runs.next();
        let alone = runs.next().is_none();
        match first {
            None => Acceptance::Violation(Cause::Absent),
            Some((run, PageState::Pending)) if alone && run == whole && self.large_pages => {
                Acceptance::Acceptable
            }
            Some((_, PageState::Accepted(PageSize::Size2M))) => {
                Acceptance::Already(PageSize::Size2M)
            }
            Some(_)
                if self
                    .runs(whole)
                    .any(|(_, state)| state != PageState::Shared) =>
            {
                Acceptance::SizeMismatch
            }
            Some(_) => Acceptance::Violation(Cause::Shared),
        }
    }
}
