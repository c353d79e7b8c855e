// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx verify`

use crate::exit::Exit;
use crate::output::{Output, BAD, GOOD};
use crate::{claims, input, reportdata};
use anyhow::{anyhow, ensure, Context as _, Result};
use clap::Args;
use serde_json::json;
use std::env;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tdx_agent::fetch::{self, Cache, NoPlatform, PlatformKind, Service};
use tdx_agent::replay::Replay;
use tdx_agent::verify::{Collateral, Expectations, TrustedRoot, Verdict, Verifier};
use tdx_agent::{Claim, Evidence, Outcome, Policy};

/// Say whether a Quote, or evidence, is to be believed
///
/// The Quote is checked up to a root certificate, the platform against the collateral of its maker, and what it says of the TD
/// against what is expected. Every claim is named. Evidence of `tdx evidence` is a Quote with
/// logs: they must lead to the registers. Works on any machine.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The Quote or the evidence ("-" is standard input)
    #[arg(value_name = "QUOTE")]
    quote: PathBuf,

    #[command(flatten)]
    reportdata: reportdata::Options,

    #[command(flatten)]
    expected: Expected,

    #[command(flatten)]
    trust: Trust,
}

/// What is expected of the TD and its platform.
#[derive(Args, Debug)]
#[command(next_help_heading = "Expectations")]
struct Expected {
    /// Expect what FILE says (`tdx policy` writes one)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Expect this value; for a name that is given several times, any of its values. Names are those that `tdx quote` prints
    #[arg(long, value_name = "NAME=HEX")]
    expect: Vec<String>,

    /// Accept this TCB status, too [default: UpToDate]
    #[arg(long, value_name = "STATUS")]
    accept_tcb: Vec<String>,

    /// Reject platforms to which this security advisory applies
    #[arg(long, value_name = "ID")]
    reject_advisory: Vec<String>,

    /// Accept a TD that its host can debug or profile
    #[arg(long)]
    allow_debug: bool,

    /// Accept a TD to which service TDs are bound
    #[arg(long)]
    allow_service_td: bool,

    /// Accept that the logs do not tell everything that this register was extended with. If they do not, expected events of it are unchecked
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..4))]
    unlogged: Vec<u8>,
}

/// Whom to believe, and as of when.
#[derive(Args, Debug)]
#[command(next_help_heading = "Trust")]
struct Trust {
    /// Trust this root certificate (DER or PEM) instead of Intel's
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,

    /// Take the collateral from FILE instead of fetching it
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,

    /// Fetch the collateral from this PCS or PCCS
    #[arg(long, value_name = "URL", default_value = fetch::INTEL, env = "TDX_PCCS")]
    pccs: String,

    /// Write the collateral that was used to FILE
    #[arg(long, value_name = "FILE")]
    save_collateral: Option<PathBuf>,

    /// Keep fetched collateral in this folder [default: tdx/ in the user's cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,

    /// Fetch the collateral anew if the cached one is older
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    max_age: humantime::Duration,

    /// Verify as of this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<humantime::Timestamp>,
}

/// How long a request for collateral may take.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let bytes = input::read(&self.quote)?;
        let (quote, evidence) = match bytes.first() {
            Some(b'{') => {
                let evidence = Evidence::from_json(&bytes)?;
                (evidence.quote.clone(), Some(evidence))
            }
            _ => (bytes, None),
        };
        let replay = |evidence: &Evidence| Replay::new(&evidence.logs());
        let replay = evidence.as_ref().map(replay).transpose();
        let expected = Expectations {
            policy: self.expected.policy()?,
            reportdata: self.reportdata.get()?,
            logs: replay.as_ref().ok().and_then(Option::as_ref),
        };
        let verifier = Verifier::new(self.trust.root()?);
        let mut verdict = match verifier.without_collateral(&quote) {
            // Nothing is fetched for what is no Quote of a platform below the root.
            Some(refused) => refused,
            None => match self.trust.collateral(&quote)? {
                Err(error) => Verdict::no_platform(error),
                Ok(collateral) => {
                    if let Some(path) = &self.trust.save_collateral {
                        output.write_file(path, collateral.to_json().as_bytes())?;
                    }
                    verifier.verify(&quote, &collateral, &expected, self.trust.now())
                }
            },
        };
        if verdict.td.is_some() {
            // What is refused is refused, whatever its logs are.
            replay?;
            self.expected.accept_unlogged(&mut verdict.claims);
        }
        let holds = verdict.holds();
        let mut json = json!(verdict);
        json["holds"] = json!(holds);
        output.print(&json, || text(&verdict))?;
        Ok(Exit::holds(holds))
    }
}

fn text(verdict: &Verdict) -> String {
    let failed: Vec<_> = verdict.failed().map(|claim| claim.name).collect();
    let conclusion = match failed.as_slice() {
        [] => format!("{GOOD}The Quote is to be believed.{GOOD:#}"),
        [one] => format!("{BAD}The Quote is refused: {one} fails.{BAD:#}"),
        several => format!(
            "{BAD}The Quote is refused: {} fail.{BAD:#}",
            several.join(", ")
        ),
    };
    format!("{}\n{conclusion}\n", claims::lines(&verdict.claims))
}

impl Expected {
    /// Has those claims unchecked which fail because logs do not lead to a register, where that is accepted of it.
    fn accept_unlogged(&self, claims: &mut [Claim]) {
        for claim in claims {
            let accepted = self
                .unlogged
                .iter()
                .any(|rtmr| claim.name == format!("replay-rtmr{rtmr}"));
            if accepted && claim.outcome == Outcome::Fails {
                claim.outcome = Outcome::Unchecked;
            }
        }
    }

    fn policy(&self) -> Result<Policy> {
        let mut policy = match &self.policy {
            None => Policy::default(),
            Some(path) => crate::policy::read(path)?,
        };
        let mut given = Policy::default().td;
        for pair in &self.expect {
            let (name, value) = pair
                .split_once('=')
                .with_context(|| format!("--expect {pair}: expected NAME=HEX"))?;
            let list = given
                .list_mut(name)
                .with_context(|| format!("--expect {pair}: nothing can be expected of {name:?}"))?;
            list.get_or_insert_default().push(value.to_owned());
            // What is on the command line takes the place of what is in the file.
            *policy.td.list_mut(name).expect("it was there before") = list.clone();
        }
        policy.tcb.accept.extend(self.accept_tcb.iter().cloned());
        policy
            .tcb
            .reject_advisories
            .extend(self.reject_advisory.iter().cloned());
        policy.td.allow_debug |= self.allow_debug;
        policy.td.allow_service_td |= self.allow_service_td;
        policy.check()?;
        Ok(policy)
    }
}

impl Trust {
    fn now(&self) -> SystemTime {
        self.at.map_or_else(SystemTime::now, SystemTime::from)
    }

    fn root(&self) -> Result<TrustedRoot> {
        match &self.root {
            None => Ok(TrustedRoot::intel()),
            Some(path) => TrustedRoot::from_bytes(&input::read(path)?)
                .with_context(|| path.display().to_string()),
        }
    }

    /// The collateral for a Quote, unless that does not say which.
    fn collateral(&self, quote: &[u8]) -> Result<Result<Collateral, NoPlatform>> {
        if let Some(path) = &self.collateral {
            let collateral = Collateral::from_json(&input::read(path)?)
                .with_context(|| path.display().to_string())?;
            return Ok(Ok(collateral));
        }
        ensure!(
            self.pccs.starts_with("https://") || self.pccs.starts_with("http://"),
            "--pccs {}: expected an address that begins with https:// or http://",
            self.pccs
        );
        let kind = match PlatformKind::of(quote) {
            Ok(kind) => kind,
            Err(error) => return Ok(Err(error)),
        };
        let service = Service::at(&self.pccs, FETCH_LIMIT);
        let folder = self.cache.clone().or_else(cache_folder);
        let folder = folder.ok_or_else(|| {
            anyhow!("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder; name one with --cache")
        })?;
        Ok(Ok(
            Cache::new(&folder, self.max_age.into()).collateral(&service, &kind)?
        ))
    }
}

/// The program's folder in the user's cache folder.
fn cache_folder() -> Option<PathBuf> {
    let path = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))?;
    Some(cache.join("tdx"))
}
