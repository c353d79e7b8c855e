// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The plugin's arguments.

use core::fmt;
use std::error::Error;
use std::path::PathBuf;

/// What the plugin's arguments say: `key=value`, as QEMU's `-plugin` takes them, separated by commas.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `config=FILE`: the TD, its platform and its host, in TOML.
    pub(crate) config: Option<PathBuf>,
    /// `trace=FILE` or `trace=stderr`: where a line for each TDCALL goes.
    pub(crate) trace: Option<TraceTarget>,
    /// `trace_hlt=on`: whether the trace has `TDG.VP.VMCALL<Instruction.HLT>` too, of which there are thousands a second.
    pub(crate) trace_hlt: bool,
    /// `control=on`: whether the TD may drive the emulation; see [`tdx_module::control`].
    pub(crate) control: bool,
    /// All others: parameters as in the configuration, which they override. Keys and values in order.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Where a trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TraceTarget {
    /// QEMU's standard error.
    Stderr,
    /// A file, which is made anew.
    File(PathBuf),
}

impl Options {
    /// Reads the arguments. The last one of a kind counts.
    ///
    /// # Errors
    ///
    /// [`OptionError`] says which argument is no good.
    pub(crate) fn parse<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for argument in arguments {
            let (key, value) = argument
                .split_once('=')
                .filter(|(key, value)| !key.is_empty() && !value.is_empty())
                .ok_or_else(|| OptionError::Form(argument.to_owned()))?;
            match key {
                "config" => options.config = Some(value.into()),
                "trace" if value == "stderr" => options.trace = Some(TraceTarget::Stderr),
                // QEMU makes this of an argument without a value.
                "trace" if value == "on" => return Err(OptionError::Form("trace".to_owned())),
                "trace" => options.trace = Some(TraceTarget::File(value.into())),
                "trace_hlt" => options.trace_hlt = parse_switch(key, value)?,
                "control" => options.control = parse_switch(key, value)?,
                _ => options.parameters.push((key.to_owned(), value.to_owned())),
            }
        }
        Ok(options)
    }
}

/// A switch, in the words that QEMU takes for its own.
fn parse_switch(key: &str, value: &str) -> Result<bool, OptionError> {
    match value {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        _ => Err(OptionError::Switch {
            key: key.to_owned(),
            value: value.to_owned(),
        }),
    }
}

/// What is wrong with the plugin's arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OptionError {
    /// An argument is not a key and a value.
    Form(String),
    /// A switch is neither on nor off.
    Switch {
        /// Which one.
        key: String,
        /// What it is.
        value: String,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(argument) => write!(
                f,
                "argument {argument:?}: expected key=value (a comma in a value is written twice)"
            ),
            Self::Switch { key, value } => write!(f, "{key}={value}: expected on or off"),
        }
    }
}

impl Error for OptionError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, OptionError> {
        Options::parse(arguments.iter().copied())
    }

    #[test]
    fn without_arguments_nothing_is_on() {
        assert_eq!(parse(&[]), Ok(Options::default()));
    }

    #[test]
    fn the_plugins_own_arguments_are_told_from_parameters() {
        let options = parse(&[
            "config=td.toml",
            "trace=/tmp/a=b",
            "trace_hlt=yes",
            "control=on",
            "td.xfam=7",
        ]);
        assert_eq!(
            options,
            Ok(Options {
                config: Some("td.toml".into()),
                trace: Some(TraceTarget::File("/tmp/a=b".into())),
                trace_hlt: true,
                control: true,
                parameters: vec![("td.xfam".to_owned(), "7".to_owned())],
            })
        );
    }

    #[test]
    fn the_last_argument_of_a_kind_counts() {
        let options = parse(&["trace=a", "control=on", "trace=stderr", "control=off"]).unwrap();
        assert_eq!(
            (options.trace, options.control),
            (Some(TraceTarget::Stderr), false)
        );
    }

    #[test]
    fn refuses_what_is_not_a_key_and_a_value() {
        for argument in ["", "=", "config", "config=", "=on", "trace=on"] {
            assert!(
                matches!(parse(&[argument]), Err(OptionError::Form(_))),
                "{argument}"
            );
        }
    }

    #[test]
    fn refuses_a_switch_that_is_neither_on_nor_off() {
        let error = parse(&["control=maybe"]).unwrap_err();
        assert_eq!(error.to_string(), "control=maybe: expected on or off");
    }
}
