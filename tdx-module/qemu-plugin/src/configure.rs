// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The TD's configuration: a file, and single parameters that override it.

use core::fmt;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};
use tdx_module::{Config, ConfigError};
use toml::{Table, Value};

/// The width of guest physical addresses.
///
/// QEMU's MMU knows no SHARED bit. With this width it is bit 52, which the CPU ignores in a page table entry, so that a
/// guest's private and shared mappings lead to the same memory. With any other it is an address bit, and the guest faults.
const GPA_WIDTH: u8 = 53;

/// Reads the configuration in `file`, if there is one, with `parameters` on top.
///
/// # Errors
///
/// [`ConfigureError`] says where it is wrong.
pub(crate) fn configure(
    file: Option<&Path>,
    parameters: &[(String, String)],
) -> Result<Config, ConfigureError> {
    let text = file.map_or(Ok(String::new()), read)?;
    let config = merge(&text, parameters).map_err(|error| match error {
        ConfigureError::Content { error, .. } => ConfigureError::Content {
            file: file.map(Path::to_owned),
            error,
        },
        other => other,
    })?;
    match config.td.gpa_width {
        GPA_WIDTH => Ok(config),
        found => Err(ConfigureError::GpaWidth(found)),
    }
}

fn read(path: &Path) -> Result<String, ConfigureError> {
    fs::read_to_string(path).map_err(|error| ConfigureError::Unreadable {
        file: path.to_owned(),
        error,
    })
}

/// Parses `text` with `parameters` on top.
fn merge(text: &str, parameters: &[(String, String)]) -> Result<Config, ConfigureError> {
    // The text comes first by itself, so that an error in it is reported by its own lines.
    let content = |error| ConfigureError::Content { file: None, error };
    Config::from_toml(text).map_err(content)?;
    let mut table: Table = text.parse().expect("a configuration that was read is TOML");
    let td = table.entry("td").or_insert_with(|| Table::new().into());
    if let Value::Table(td) = td {
        td.entry("gpa_width").or_insert(i64::from(GPA_WIDTH).into());
    }
    let mut config = parse(&table).map_err(content)?;
    for (key, value) in parameters {
        let error = |message| ConfigureError::Parameter {
            key: key.clone(),
            value: value.clone(),
            message,
        };
        set(&mut table, key, typed(value)).map_err(error)?;
        config = parse(&table).map_err(|cause| error(cause.to_string()))?;
    }
    Ok(config)
}

fn parse(table: &Table) -> Result<Config, ConfigError> {
    Config::from_toml(&table.to_string())
}

/// Sets `table.key` of a two-level configuration.
fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let (name, key) = key.split_once('.').ok_or(
        "no such argument; expected config, trace, control, or a parameter as in the configuration, \
         such as td.xfam or platform.report_time_us",
    )?;
    let inner = table.entry(name).or_insert_with(|| Table::new().into());
    let inner = inner
        .as_table_mut()
        .ok_or("faults are described in a file")?;
    inner.insert(key.to_owned(), value);
    Ok(())
}

/// A value as TOML has it, or a string: quotation marks are a nuisance in a command line.
fn typed(value: &str) -> Value {
    let parsed = format!("value = {value}").parse::<Table>().ok();
    let found = parsed.and_then(|mut table| match table.len() {
        1 => table.remove("value"),
        _ => None,
    });
    match found {
        // No parameter is a fraction or a date, but "1.5" is a version and "12e4" may be hexadecimal.
        Some(
            value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_) | Value::String(_)),
        ) => value,
        _ => Value::String(value.to_owned()),
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum ConfigureError {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is in the file is no configuration.
    Content {
        /// The file; `None` if there is none, and the fault is with the defaults.
        file: Option<PathBuf>,
        /// What is wrong.
        error: ConfigError,
    },
    /// A parameter is none, or has a value that it cannot have.
    Parameter {
        /// The argument.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong.
        message: String,
    },
    /// The GPA width is not the one that works with QEMU.
    GpaWidth(u8),
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => {
                write!(f, "cannot read the configuration {}: {error}", file.display())
            }
            Self::Content { file: Some(file), error } => {
                write!(f, "configuration {}: {error}", file.display())
            }
            Self::Content { file: None, error } => write!(f, "configuration: {error}"),
            Self::Parameter { key, value, message } => write!(f, "{key}={value}: {message}"),
            Self::GpaWidth(found) => write!(
                f,
                "td.gpa_width is {found}: under QEMU, whose MMU knows no SHARED bit, only {GPA_WIDTH} works"
            ),
        }
    }
}

impl Error for ConfigureError {}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use tdx_uapi::Xfam;

    fn with(parameters: &[(&str, &str)]) -> Result<Config, String> {
        let owned: Vec<_> = parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        configure(None, &owned).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_the_defaults_hold_and_addresses_fit_qemu() {
        let config = with(&[]).unwrap();
        assert_eq!(config.td.gpa_width, 53);
        assert_eq!(config.platform, tdx_module::Platform::default());
    }

    #[test]
    fn parameters_of_all_types_are_taken_without_quotation_marks() {
        let svn = "12e45678901234567890123456789012";
        let config = with(&[
            ("td.xfam", "0x7"),
            ("platform.report_time_us", "5000"),
            ("platform.verify_report", "false"),
            ("platform.cpusvn", svn),
            ("platform.generation", "1.0"),
            ("td.attributes", "[\"SEPT_VE_DISABLE\", \"PKS\"]"),
        ])
        .unwrap();
        assert_eq!(config.td.xfam, Xfam(7));
        assert_eq!(config.platform.report_time, Duration::from_millis(5));
        assert!(!config.platform.verify_report);
        assert_eq!(config.platform.cpu_svn[..2], [0x12, 0xe4]);
        assert_eq!(config.platform.generation, tdx_module::Generation::Tdx10);
        assert_eq!(config.td.attributes.names().count(), 2);
    }

    #[test]
    fn a_parameter_overrides_the_file() {
        let text = "[td]\nxfam = 3\n[platform]\nreport_time_us = 1";
        let config = merge(text, &[("td.xfam".to_owned(), "7".to_owned())]).unwrap();
        assert_eq!(config.td.xfam, Xfam(7));
        assert_eq!(config.platform.report_time, Duration::from_micros(1));
    }

    #[test]
    fn an_unknown_argument_is_named() {
        let error = with(&[("trac", "on")]).unwrap_err();
        assert!(error.starts_with("trac=on: no such argument"), "{error}");
        let error = with(&[("td.xfan", "7")]).unwrap_err();
        assert!(
            error.starts_with("td.xfan=7: ") && error.contains("xfam"),
            "{error}"
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        let error = with(&[("platform.cpusvn", "12")]).unwrap_err();
        assert!(error.starts_with("platform.cpusvn=12: "), "{error}");
    }

    #[test]
    fn only_the_gpa_width_that_works_is_taken() {
        let error = with(&[("td.gpa_width", "52")]).unwrap_err();
        assert!(error.contains("only 53 works"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = configure(Some(Path::new("/no/such/td.toml")), &[]).unwrap_err();
        assert!(error.to_string().contains("/no/such/td.toml"), "{error}");
    }
}
