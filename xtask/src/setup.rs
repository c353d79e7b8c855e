// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes everything that a boot needs, under `target/tdx/`, on demand: a Debian root with the tool chain and QEMU, and
//! Debian's kernels with their source.
//!
//! A second run finds it there and touches neither network nor lock. Each piece is made under another name and moved into
//! place when it is whole, so a run may be killed at any time; the next one goes on from the last whole piece.

mod archive;
mod bootstrap;
mod config;
mod extra;
mod firmware;
mod host;
mod kernel;
mod mirror;
mod record;
mod selection;
mod tool_chain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use clap::Args;
use indicatif::BinaryBytes;

pub(crate) use extra::packages;
pub(crate) use firmware::Firmware;
pub(crate) use kernel::Kernel;
pub(crate) use selection::Flavour;

use crate::disposal::{discard, empty_trash, keep_temporary_files_in};
use crate::enclosure::Enclosure;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::progress::{is_no_space, Progress};
use crate::space;
use mirror::Mirror;
use record::{now, Record, RootRecord};

/// Debian's release whose tool chain is used. Its kernels and QEMU come from its backports.
const SUITE: &str = "trixie";

/// Raised whenever the root would be made in another way from the same packages.
const ROOT_RECIPE: u32 = 1;

/// What the root takes on disk, downloads included.
const ROOT_SIZE: u64 = 2500 << 20;

/// The steps in which the root is made.
const ROOT_STEPS: usize = 4;

/// Which environment is wanted.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Debian kernel to use instead of the newest: a release (7.2.9+deb13) or version (7.2.9-1~bpo13+1) that the archive
    /// has
    #[arg(long, value_name = "VERSION", global = true)]
    pub(crate) kernel: Option<String>,

    /// Debian's configuration of the kernel
    #[arg(long, value_enum, value_name = "FLAVOUR", global = true)]
    pub(crate) flavour: Option<Flavour>,

    /// Debian mirror to set up from, instead of the one that this machine's apt uses
    #[arg(long, value_name = "URL", global = true, env = "TDX_DEBIAN_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// Resolve anew, with the newest packages that the mirror has.
    #[arg(skip)]
    pub(crate) refresh: bool,
}

impl Options {
    /// What another xtask is told to want the same.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let flavour = self.flavour.map(|flavour| flavour.to_string());
        let options = [
            ("--kernel", &self.kernel),
            ("--flavour", &flavour),
            ("--mirror", &self.mirror),
        ];
        let given = options
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        given.flatten().collect()
    }

    /// The flavour that is asked for, by its own option or by a whole release string.
    fn flavour(&self) -> Result<Flavour> {
        let named = self.kernel.as_deref().and_then(selection::flavour_of);
        match (self.flavour, named) {
            (Some(asked), Some(named)) if asked != named => {
                bail!(
                    "--kernel {} is of the {named} flavour, not {asked}",
                    self.kernel.as_deref().unwrap_or_default()
                )
            }
            (asked, named) => Ok(asked.or(named).unwrap_or_default()),
        }
    }
}

/// What is set up, and stays as long as this value lives.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Where everything is.
    pub(crate) paths: Paths,
    /// The Debian root.
    pub(crate) root: PathBuf,
    /// The kernel.
    pub(crate) kernel: Kernel,
    _in_use: Lock,
}

impl Environment {
    /// Runs programs in the root.
    pub(crate) fn enclosure(&self) -> Enclosure {
        Enclosure::root(&self.root)
    }
}

/// Gives the environment, setting up what of it is missing.
///
/// # Errors
/// Says which step failed, where its log is, and what can be done.
pub(crate) fn environment(options: &Options) -> Result<Environment> {
    let paths = Paths::find()?;
    let flavour = options.flavour()?;
    let lock = paths.work().join("in-use.lock");
    let mut refresh = options.refresh;
    // Once more than is needed, because another xtask may replace the root between set-up and use.
    for _ in 0..3 {
        // Shared, so that no other xtask replaces the root meanwhile.
        let in_use = Lock::shared(&lock, "that sets up the Debian root here")?;
        let record = Record::load(&paths.record())?;
        let found = find(&paths, &record, options, flavour);
        if let (Some(kernel), false) = (found, refresh) {
            keep_temporary_files_in(&paths)?;
            return Ok(Environment {
                root: paths.root(),
                kernel,
                paths,
                _in_use: in_use,
            });
        }
        // This lock before the one of the set-up, here and everywhere: a run with a root in use may need another kernel.
        let _in_use = if refresh || whole_root(&paths, &record).is_none() {
            drop(in_use);
            Lock::exclusive(&lock, "that uses the Debian root, which is to be replaced")?
        } else {
            in_use
        };
        set_up(&paths, options, flavour, refresh).map_err(|error| explain(error, &paths))?;
        refresh = false;
    }
    bail!(
        "what was set up is not there; see {}",
        paths.record().display()
    )
}

/// Gives what boots from firmware need, setting it up if it is missing.
///
/// # Errors
/// As [`environment`].
pub(crate) fn firmware(environment: &Environment) -> Result<Firmware> {
    let paths = &environment.paths;
    if let Some(firmware) = firmware::find(paths, &Record::load(&paths.record())?) {
        return Ok(firmware);
    }
    let _lock = Lock::exclusive(&paths.work().join("setup.lock"), "that is setting up here")?;
    let mut record = Record::load(&paths.record())?;
    // Another xtask may have done it while this one waited.
    if firmware::find(paths, &record).is_none() {
        let progress = Progress::new(paths, 1);
        firmware::set_up(paths, &mut record, &progress).map_err(|error| explain(error, paths))?;
    }
    firmware::find(paths, &record).with_context(|| {
        format!(
            "what was set up is not there; see {}",
            paths.record().display()
        )
    })
}

/// The wanted kernel, if it and the root are whole.
fn find(paths: &Paths, record: &Record, options: &Options, flavour: Flavour) -> Option<Kernel> {
    let root = whole_root(paths, record)?;
    let (release, kernel) = record.kernel(options.kernel.as_deref(), flavour)?;
    let kernel = Kernel::recorded(paths, release, kernel, root)?;
    kernel.has_tools(record).then_some(kernel)
}

/// The root's record, if the root is there and as it would be made now.
fn whole_root<'a>(paths: &Paths, record: &'a Record) -> Option<&'a RootRecord> {
    let root = record.root.as_ref()?;
    let current =
        root.recipe == ROOT_RECIPE && root.suite == SUITE && root.requested == requested();
    (current && paths.root().join("usr/bin/qemu-system-x86_64").exists()).then_some(root)
}

/// Sets up what is missing, for a caller that holds the root's lock: exclusively, if the root has to be made.
fn set_up(paths: &Paths, options: &Options, flavour: Flavour, refresh: bool) -> Result<()> {
    host::check()?;
    let _lock = Lock::exclusive(&paths.work().join("setup.lock"), "that is setting up here")?;
    empty_trash(paths)?;
    let mut record = Record::load(&paths.record())?;
    // Another xtask may have done it while this one waited.
    if !refresh && find(paths, &record, options, flavour).is_some() {
        return Ok(());
    }
    let make_root = refresh || whole_root(paths, &record).is_none();
    let progress = Progress::new(
        paths,
        if make_root { ROOT_STEPS } else { 0 } + kernel::steps(flavour),
    );
    if make_root {
        let root = set_up_root(paths, options, &progress)?;
        replace_root(paths, &mut record, root)?;
    }
    kernel::set_up(
        paths,
        &mut record,
        options.kernel.as_deref(),
        flavour,
        make_root,
        &progress,
    )
}

/// Makes a root at `root.partial`.
fn set_up_root(paths: &Paths, options: &Options, progress: &Progress) -> Result<RootRecord> {
    // An installation that was cut off is not mended: with the packages still in the cache, a new one is quick, and sure.
    let root = partial_root(paths);
    discard(paths, &root)?;
    let needed = ROOT_SIZE.saturating_sub(space::of_files_in(&bootstrap::archives(paths)));
    space::require(
        paths.work(),
        needed,
        "a Debian root with tool chain and QEMU",
    )?;

    let mut step = progress.step("Debian mirror")?;
    let mirror = Mirror::find(paths, options.mirror.as_deref(), &mut step)?;
    step.note(&format!("using {}", mirror.url));
    step.done();

    let mut step = progress.step("Debian root")?;
    bootstrap::bootstrap(paths, &mirror, &root, &mut step)?;
    step.done();

    let mut step = progress.step("tool chain")?;
    tool_chain::install_tools(paths, &root, &mut step)?;
    step.done();

    let mut step = progress.step("QEMU")?;
    tool_chain::install_qemu(paths, &root, &mut step)?;
    let packages = tool_chain::installed(&root, &mut step)?;
    step.done();
    Ok(RootRecord {
        recipe: ROOT_RECIPE,
        mirror: mirror.url,
        suite: SUITE.into(),
        date: now(),
        requested: requested(),
        packages,
    })
}

/// Moves the new root into place. The caller sees to it that nobody uses the old one.
fn replace_root(paths: &Paths, record: &mut Record, root: RootRecord) -> Result<()> {
    record.root = None;
    record.save(&paths.record())?;
    discard(paths, &paths.root())?;
    fs::rename(partial_root(paths), paths.root()).context("moving the new root into place")?;
    record.root = Some(root);
    record.save(&paths.record())?;
    for kind in ["apt", "archives", "debootstrap"] {
        discard(paths, &paths.cache(kind))?;
    }
    Ok(())
}

fn partial_root(paths: &Paths) -> PathBuf {
    paths.work().join("root.partial")
}

fn requested() -> Vec<String> {
    tool_chain::TOOLS
        .iter()
        .chain([&tool_chain::QEMU])
        .map(|name| (*name).to_owned())
        .collect()
}

/// Adds advice to errors of a full disk that did not come from a step's command, which has it already.
fn explain(error: anyhow::Error, paths: &Paths) -> anyhow::Error {
    if !is_no_space(&error) || error.to_string().contains("no space") {
        return error;
    }
    let existing: &Path = if paths.work().exists() {
        paths.work()
    } else {
        paths.project()
    };
    let free = space::free(existing).unwrap_or_default();
    error.context(format!(
        "no space: {} has {} free; make room and run the same again",
        existing.display(),
        BinaryBytes(free)
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        setup: Options,
    }

    #[test]
    fn another_xtask_understands_the_arguments() {
        assert!(Options::default().arguments().is_empty());
        let options = Options {
            kernel: Some("7.2.12".into()),
            flavour: Some(Flavour::Generic),
            mirror: Some("http://mirror.example/debian".into()),
            refresh: false,
        };
        let arguments = ["xtask".to_owned()].into_iter().chain(options.arguments());
        let understood = Arguments::parse_from(arguments).setup;
        assert_eq!(understood.kernel, options.kernel);
        assert_eq!(understood.flavour, options.flavour);
        assert_eq!(understood.mirror, options.mirror);
    }
}
