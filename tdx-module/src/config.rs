// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The configuration of a TD, in TOML.

mod fault;
mod flags;
mod values;

use self::fault::FaultTable;
use self::flags::{ConfigFlags, FlagSet, TdCtls};
use self::values::{Hex, Micros};
use crate::{Fault, Generation, HostPolicy, Platform, QuoteBehaviour, TdParameters};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;
use tdx_uapi::{Attributes, Digest, Xfam};

/// A TD, its platform and its host, as a file describes them.
///
/// Everything is optional, and what is left out is as in the defaults of [`TdParameters`], [`Platform`] and
/// [`HostPolicy`]. The vCPUs and the memory are the front-end's to fill in. `example.toml`, in the folder of this
/// crate, has every key with its explanation.
///
/// ```
/// use tdx_module::{Config, Td};
/// use tdx_uapi::Attributes;
///
/// let config = Config::from_toml(r#"
///     [td]
///     attributes = ["SEPT_VE_DISABLE", "PKS"]
///
///     [[fault]]
///     leaf = "TDG.MR.REPORT"
///     status = "TDX_OPERAND_BUSY"
///     operand = "RTMR"
///     times = 2
/// "#)?;
/// assert!(config.td.attributes.contains(Attributes::PKS));
///
/// let td = Td::new(config.td, config.platform, config.host)?;
/// config.faults.into_iter().for_each(|fault| td.inject(fault));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The TD; without vCPUs and memory of its own.
    pub td: TdParameters,
    /// The platform.
    pub platform: Platform,
    /// The host.
    pub host: HostPolicy,
    /// The calls that fail.
    pub faults: Vec<Fault>,
}

/// What is wrong with a configuration: where, what was found, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for what is not TOML, unknown keys and names, and values of the wrong length or kind, with the
    /// line and what is allowed there.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        let mut config = Self {
            faults: file.fault.into_iter().map(Fault::from).collect(),
            ..Self::default()
        };
        file.td.apply(&mut config.td);
        file.platform.apply(&mut config.platform);
        file.host.apply(&mut config.host);
        // Memory and vCPUs are not there yet; the rest can be wrong already.
        let checked = crate::Td::new(
            config.td.clone(),
            config.platform.clone(),
            config.host.clone(),
        );
        match checked {
            Ok(_) => Ok(config),
            Err(error) => Err(ConfigError(error.to_string())),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    td: TdTable,
    platform: PlatformTable,
    host: HostTable,
    fault: Vec<FaultTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TdTable {
    attributes: Option<FlagSet<Attributes>>,
    xfam: Option<FlagSet<Xfam>>,
    mrtd: Option<Hex<48>>,
    mrconfigid: Option<Hex<48>>,
    mrowner: Option<Hex<48>>,
    mrownerconfig: Option<Hex<48>>,
    rtmr: Option<[Hex<48>; 4]>,
    servtd_hash: Option<Hex<48>>,
    gpa_width: Option<u8>,
    max_vcpus: Option<u32>,
    config_flags: Option<FlagSet<ConfigFlags>>,
    td_ctls: Option<FlagSet<TdCtls>>,
    topology_enum_configured: Option<bool>,
}

/// Sets what the file has a value for.
macro_rules! set {
    ($($to:expr => $from:expr;)*) => {
        $(if let Some(value) = $from { $to = value; })*
    };
}

impl TdTable {
    fn apply(self, td: &mut TdParameters) {
        set! {
            td.attributes => self.attributes.map(|flags| Attributes(flags.bits));
            td.xfam => self.xfam.map(|flags| Xfam(flags.bits));
            td.mrtd => self.mrtd.map(digest);
            td.mr_config_id => self.mrconfigid.map(digest);
            td.mr_owner => self.mrowner.map(digest);
            td.mr_owner_config => self.mrownerconfig.map(digest);
            td.rtmr => self.rtmr.map(|registers| registers.map(digest));
            td.servtd_hash => self.servtd_hash.map(|hash| Some(digest(hash)));
            td.gpa_width => self.gpa_width;
            td.max_vcpus => self.max_vcpus;
            td.config_flags => self.config_flags.map(|flags| flags.bits);
            td.td_ctls => self.td_ctls.map(|flags| flags.bits);
            td.topology_enum_configured => self.topology_enum_configured;
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PlatformTable {
    generation: Option<GenerationName>,
    cpusvn: Option<Hex<16>>,
    tee_tcb_svn: Option<Hex<16>>,
    tee_tcb_svn2: Option<Hex<16>>,
    mrseam: Option<Hex<48>>,
    mrsignerseam: Option<Hex<48>>,
    verify_report: Option<bool>,
    seed: Option<Hex<32>>,
    report_time_us: Option<Micros>,
}

#[derive(Deserialize)]
enum GenerationName {
    #[serde(rename = "1.0")]
    Tdx10,
    #[serde(rename = "1.5")]
    Tdx15,
}

impl PlatformTable {
    fn apply(self, platform: &mut Platform) {
        set! {
            platform.generation => self.generation.map(|name| match name {
                GenerationName::Tdx10 => Generation::Tdx10,
                GenerationName::Tdx15 => Generation::Tdx15,
            });
            platform.cpu_svn => self.cpusvn.map(|svn| svn.0);
            platform.tee_tcb_svn => self.tee_tcb_svn.map(|svn| svn.0);
            // One that was not updated since it created the TD, unless the file says otherwise.
            platform.tee_tcb_svn2 => self.tee_tcb_svn2.or(self.tee_tcb_svn).map(|svn| svn.0);
            platform.mr_seam => self.mrseam.map(digest);
            platform.mr_signer_seam => self.mrsignerseam.map(digest);
            platform.verify_report => self.verify_report;
            platform.seed => self.seed.map(|seed| seed.0);
            platform.report_time => self.report_time_us.map(|time| time.0);
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HostTable {
    hlt_nap_us: Option<Micros>,
    map_gpa_limit: Option<core::num::NonZeroU64>,
    large_pages: Option<bool>,
    quote_time_us: Option<Micros>,
    quote: Option<QuoteBehaviourName>,
}

/// A behaviour, by its name.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct QuoteBehaviourName(QuoteBehaviour);

impl TryFrom<String> for QuoteBehaviourName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let mut all = QuoteBehaviour::ALL.iter().copied();
        let found = all.find(|behaviour| behaviour.name() == name);
        found.map(Self).ok_or_else(|| {
            let all = QuoteBehaviour::ALL.iter().copied();
            let names: Vec<&str> = all.map(QuoteBehaviour::name).collect();
            format!(
                "{name:?} is no way to answer GetQuote; expected one of {}",
                names.join(", ")
            )
        })
    }
}

impl HostTable {
    fn apply(self, host: &mut HostPolicy) {
        set! {
            host.hlt_nap => self.hlt_nap_us.map(|time| time.0);
            host.map_gpa_limit => self.map_gpa_limit.map(|limit| Some(limit.get()));
            host.large_pages => self.large_pages;
            host.quote_time => self.quote_time_us.map(|time| time.0);
            host.quote_behaviour => self.quote.map(|name| name.0);
        }
    }
}

fn digest(hex: Hex<48>) -> Digest {
    Digest(hex.0)
}
