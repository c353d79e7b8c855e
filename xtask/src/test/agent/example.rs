// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Examples in a page: blocks of the kind `console` with a prompt, a command, and what it says.

/// Where a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the TD: `td$`.
    Td,
    /// On another machine: `$`.
    Outside,
}

/// An example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    /// Where.
    pub(super) place: Place,
    /// The command.
    pub(super) command: String,
    /// What it says.
    pub(super) says: String,
}

const PROMPTS: [(&str, Place); 2] = [("td$ ", Place::Td), ("$ ", Place::Outside)];

/// The longest digits that are not shortened.
const DIGITS: usize = 16;

impl Example {
    /// The example as it is in a page, if it says this.
    pub(super) fn block(&self, says: &str) -> String {
        let prompt = PROMPTS.iter().find(|(_, place)| *place == self.place);
        let prompt = prompt.map_or("", |(prompt, _)| prompt);
        format!("{prompt}{}\n{says}", self.command)
    }
}

/// The examples of a page.
pub(super) fn read(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
            continue;
        }
        if !in_block {
            continue;
        }
        let prompt = PROMPTS
            .iter()
            .find_map(|(prompt, place)| Some((line.strip_prefix(prompt)?, *place)));
        match (prompt, examples.last_mut()) {
            (Some((command, place)), _) => examples.push(Example {
                place,
                command: command.to_owned(),
                says: String::new(),
            }),
            (None, Some(example)) => {
                example.says.push_str(line);
                example.says.push('\n');
            }
            (None, None) => {}
        }
    }
    examples
}

/// The text with long digits cut to their first eight.
pub(super) fn shorten(text: &str) -> String {
    by_words(text, |word, shortened| {
        let is_long = word.len() > DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_long {
            shortened.push_str(&word[..8]);
            shortened.push('…');
        } else {
            shortened.push_str(word);
        }
    })
}

/// The text without what differs from boot to boot, from day to day and from kernel to kernel: digits, times, and numbers of
/// two digits or more.
pub(super) fn normalise(text: &str) -> String {
    let text = &without_uuids(text);
    let text = by_words(text, |word, normal| {
        let hexadecimal = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        // In a time, such as 2026-11-21T00:00:00Z, there are letters between the numbers.
        let decimal = word.len() >= 2
            && word.starts_with(|one: char| one.is_ascii_digit())
            && word
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'T' | b'Z'));
        match (hexadecimal, decimal) {
            (false, false) => normal.push_str(word),
            _ => normal.push('#'),
        }
    });
    // Columns are as wide as what is in them.
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("#…", "#")
        .trim_end()
        .to_owned()
}

/// The text with `#` for each identifier of a boot, which a UUID is.
fn without_uuids(text: &str) -> String {
    let is_uuid = |word: &str| {
        let lengths = word.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12])
            && word
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    let lines = text.lines().map(|line| {
        let words = line
            .split(' ')
            .map(|word| if is_uuid(word) { "#" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives each word of letters and digits to `word`, and keeps what is between them.
fn by_words(text: &str, word: impl Fn(&str, &mut String)) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|one: char| one.is_ascii_alphanumeric()) {
        result.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|one: char| !one.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        word(&rest[..end], &mut result);
        rest = &rest[end..];
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_with_their_prompts() {
        let page = "text\n```sh\n$ not one\n```\n```console\ntd$ tdx status\nholds\n$ tdx verify\nFAILS\n\nend\n```\n";
        let examples = read(page);
        assert_eq!(examples.len(), 2);
        assert_eq!(
            (examples[0].place, examples[0].says.as_str()),
            (Place::Td, "holds\n")
        );
        assert_eq!(
            (examples[1].command.as_str(), examples[1].says.as_str()),
            ("tdx verify", "FAILS\n\nend\n")
        );
        assert!(page.contains(&examples[0].block("holds\n")));
    }

    #[test]
    fn what_differs_from_boot_to_boot_does_not_count() {
        let long = "RTMR3 1d9b87caf048435fc39a4a0a8e4e864a after 38 ms";
        assert_eq!(shorten(long), "RTMR3 1d9b87ca… after 38 ms");
        assert_eq!(
            normalise(&shorten(long)),
            normalise("RTMR3   00000000… after 1127 ms\n")
        );
        assert_eq!(
            normalise("boot 685e1e55-2093-4e8e-b8fb-4669692a28c6"),
            normalise("boot 19b18392-c9fc-4b9f-8935-35ffd2f8a8b4")
        );
        assert_eq!(
            normalise("of 2026-11-21T00:00:00Z"),
            normalise("of 2027-02-03T04:55:06Z")
        );
        assert_ne!(normalise("RTMR3 holds"), normalise("RTMR2 holds"));
        assert_ne!(normalise("a holds"), normalise("a FAILS"));
    }
}
