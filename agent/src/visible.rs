// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Text that somebody else wrote, for people to read.

use std::fmt::Write as _;

/// Text in which all that a reader would not see, or a terminal would take for a command, is shown as what it is: control
/// characters, line ends among them, and characters that are invisible or turn the direction of what follows.
///
/// What a TD, its host or a service wrote must not be able to write a verdict of its own onto the reader's terminal. All
/// text in [`Claim`](crate::Claim)s and [`replay::Event`](crate::replay::Event)s went through here.
///
/// ```
/// assert_eq!(tdx_agent::visible("a\u{1b}[2Kb"), "a\\u{1b}[2Kb");
/// ```
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for one in text.chars() {
        if is_visible(one) {
            shown.push(one);
        } else {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(one));
        }
    }
    shown
}

fn is_visible(one: char) -> bool {
    !one.is_control()
        && !matches!(one,
            '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_is_seen_stays() {
        let text = "\"Linux initrd\" \\ é 漢 🦀 <b>";
        assert_eq!(visible(text), text);
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        assert_eq!(visible("a\u{202e}b\u{7}"), "a\\u{202e}b\\u{7}");
        assert_eq!(visible("no\r\nyes\u{9b}2K"), "no\\u{d}\\u{a}yes\\u{9b}2K");
    }
}
