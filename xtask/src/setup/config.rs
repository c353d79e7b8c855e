// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel's configuration: which tools it was built with, and what a second `olddefconfig` made of it.

use std::collections::BTreeMap;

/// The options of a `.config` that are set.
#[derive(Debug)]
pub(super) struct Config<'a> {
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Config<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let options = text
            .lines()
            .filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='))
            .collect();
        Self { options }
    }

    /// A string option's text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.options.get(name)?.strip_prefix('"')?.strip_suffix('"')
    }

    /// Whether the option is `y`.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.options.get(name) == Some(&"y")
    }

    /// The compiler's command: the first word of the version that it printed.
    pub(super) fn compiler(&self) -> Option<&'a str> {
        self.text("CC_VERSION_TEXT")?.split(' ').next()
    }

    /// What `rustc --version` printed for the one that built the kernel's Rust code. Present without Rust as well.
    pub(super) fn rustc(&self) -> Option<&'a str> {
        self.text("RUSTC_VERSION_TEXT")
            .filter(|text| !text.is_empty())
    }

    /// The lines of `wanted` that this configuration does not follow, each with what it has instead.
    pub(super) fn refused(&self, wanted: &str) -> Vec<String> {
        let unset = |line: &'_ str| -> Option<String> {
            let name = line
                .strip_prefix("# CONFIG_")?
                .strip_suffix(" is not set")?;
            let value = self.options.get(name)?;
            Some(format!("{line} (it is {value})"))
        };
        let set = |line: &'_ str| -> Option<String> {
            let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
            match self.options.get(name) {
                Some(found) if *found == value => None,
                Some(found) => Some(format!("{line} (it is {found})")),
                None => Some(format!("{line} (it is not set)")),
            }
        };
        wanted
            .lines()
            .filter_map(|line| unset(line).or_else(|| set(line)))
            .collect()
    }

    /// The options that `other` has with another value or not at all, or alone, as `NAME: ours -> theirs`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let all: std::collections::BTreeSet<_> =
            self.options.keys().chain(other.options.keys()).collect();
        let value = |config: &Self, name: &str| {
            config
                .options
                .get(name)
                .copied()
                .unwrap_or("not set")
                .to_owned()
        };
        all.into_iter()
            .map(|name| (name, value(self, name), value(other, name)))
            .filter(|(_, ours, theirs)| ours != theirs)
            .map(|(name, ours, theirs)| format!("CONFIG_{name}: {ours} -> {theirs}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "\
# Linux/x86 7.2.12 Kernel Configuration
CONFIG_CC_VERSION_TEXT=\"x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0\"
CONFIG_RUST=y
CONFIG_RUSTC_VERSION_TEXT=\"rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)\"
# CONFIG_WERROR is not set
CONFIG_TDX_GUEST_DRIVER=m
";

    #[test]
    fn names_the_tools_that_built_the_kernel() {
        let config = Config::parse(DEBIAN);
        assert_eq!(config.compiler(), Some("x86_64-linux-gnu-gcc-14"));
        assert_eq!(
            config.rustc(),
            Some("rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)")
        );
        assert!(config.is_on("RUST") && !config.is_on("TDX_GUEST_DRIVER"));
    }

    #[test]
    fn tells_what_was_not_taken() {
        let config = Config::parse(DEBIAN);
        let taken = "# Rust\nCONFIG_RUST=y\n# CONFIG_WERROR is not set\n";
        assert!(config.refused(taken).is_empty());
        let wanted = "CONFIG_RUST=m\n# CONFIG_TDX_GUEST_DRIVER is not set\nCONFIG_KASAN=y\n";
        assert_eq!(
            config.refused(wanted),
            [
                "CONFIG_RUST=m (it is y)",
                "# CONFIG_TDX_GUEST_DRIVER is not set (it is m)",
                "CONFIG_KASAN=y (it is not set)"
            ]
        );
    }

    #[test]
    fn tells_what_changed() {
        let after = DEBIAN
            .replace("CONFIG_RUST=y\n", "")
            .replace("# CONFIG_WERROR is not set", "CONFIG_WERROR=y");
        let differences = Config::parse(DEBIAN).differences(&Config::parse(&after));
        assert_eq!(
            differences,
            ["CONFIG_RUST: y -> not set", "CONFIG_WERROR: not set -> y"]
        );
    }
}
