// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How far a command is that prints a line for each thing that it does.

/// The share that is done, by the number of lines.
#[derive(Debug)]
pub(super) struct Share {
    /// About how many lines there will be.
    total: usize,
    lines: usize,
    told: usize,
}

impl Share {
    /// Nothing is done of what takes about `total` lines.
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            lines: 0,
            told: 0,
        }
    }

    /// Counts a line, and returns what is done in percent. It is never all: the number of lines is a guess.
    pub(super) fn count(&mut self) -> usize {
        self.lines += 1;
        (self.lines * 100 / self.total.max(1)).min(99)
    }

    /// The tenths that are done, in percent, if there are more than when this was asked the last time.
    pub(super) fn news(&mut self) -> Option<usize> {
        let tenths = (self.lines * 10 / self.total.max(1)).min(9) * 10;
        (tenths > self.told).then(|| {
            self.told = tenths;
            tenths
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn is_never_all_and_tells_each_tenth_once() {
        let mut share = Share::new(200);
        let percent: Vec<_> = (0..300).map(|_| share.count()).collect();
        assert_eq!((percent[0], percent[99], percent[299]), (0, 50, 99));
        assert_eq!((share.news(), share.news()), (Some(90), None));

        let mut share = Share::new(20);
        let told: Vec<_> = (0..40)
            .filter_map(|_| {
                share.count();
                share.news()
            })
            .collect();
        assert_eq!(told, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
}
