// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which Debian mirror to use: the one that this machine's own apt uses.
//!
//! `apt-get update --print-uris` names every configured archive without touching the network or needing a list that was
//! fetched earlier (which `apt-get indextargets` does). Which of them is Debian's is not guessed from its name: it is the
//! one that serves a trixie signed with Debian's archive key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, Context, Result};

use super::SUITE;
use crate::disposal::discard;
use crate::enclosure::Enclosure;
use crate::paths::Paths;
use crate::progress::Step;

/// A Debian archive that was reached and whose signature was right, and the private apt state that it was reached with.
#[derive(Debug)]
pub(super) struct Mirror {
    /// Without a slash at its end.
    pub(super) url: String,
    /// Debian's archive keys.
    pub(super) keyring: PathBuf,
    state: PathBuf,
}

impl Mirror {
    /// Finds a mirror that serves the suite, or checks the `wanted` one.
    pub(super) fn find(paths: &Paths, wanted: Option<&str>, step: &mut Step) -> Result<Self> {
        let state = paths.cache("apt");
        fs::create_dir_all(state.join("lists/partial"))?;
        fs::create_dir_all(state.join("cache/archives/partial"))?;
        let keyring = keyring(paths, &state, step)?;
        let candidates = match wanted {
            Some(url) => vec![url.trim_end_matches('/').to_owned()],
            None => candidates(
                &step.output(
                    Enclosure::host()
                        .command("apt-get")
                        .args(["update", "--print-uris", "-o"])
                        .arg(lists_in(&state)),
                )?,
            ),
        };
        if candidates.is_empty() {
            bail!("this machine's apt has no http or https archive configured; name a Debian mirror with --mirror");
        }
        let mut failure = None;
        for url in candidates {
            step.note(&format!("trying {url}"));
            let mirror = Self {
                url,
                keyring: keyring.clone(),
                state: state.clone(),
            };
            match mirror.update(step) {
                Ok(()) => return Ok(mirror),
                Err(error) => {
                    failure = Some(error.context(format!("using the mirror {}", mirror.url)))
                }
            }
        }
        Err(failure.unwrap_or_else(|| anyhow!("no mirror")))
    }

    /// Downloads a package of the suite into the private state, and unpacks it to `to`, where nothing else is then.
    pub(super) fn unpack(
        &self,
        paths: &Paths,
        package: &str,
        to: &Path,
        step: &mut Step,
    ) -> Result<()> {
        unpack(paths, &self.state, &self.options(), package, to, step)
    }

    /// Downloads the packages of a minimal system into `archives`, all in one go, where debootstrap finds them. It would
    /// fetch them one by one; what is missing here, it fetches all the same.
    pub(super) fn prefetch(&self, archives: &Path, step: &mut Step) -> Result<()> {
        // To apt, nothing is installed.
        let status = self.state.join("status");
        fs::write(&status, "")?;
        let mut command = Enclosure::host().command("apt-get");
        command
            .args(self.options())
            .arg(format!("-oDir::State::status={}", status.display()));
        command.arg(format!("-oDir::Cache::archives={}", archives.display()));
        command.args([
            "-y",
            "--no-install-recommends",
            "--download-only",
            "install",
            "?priority(required)",
            "apt",
        ]);
        step.status(&mut command).map(drop)
    }

    fn update(&self, step: &mut Step) -> Result<()> {
        let source = format!(
            "deb [signed-by={}] {} {SUITE} main\n",
            self.keyring.display(),
            self.url
        );
        fs::write(self.source(), source)?;
        step.run(
            Enclosure::host()
                .command("apt-get")
                .args(self.options())
                .arg("update"),
        )?;
        // apt keeps no list whose signature it could not check, but it calls only some of these failures an error.
        let listed = fs::read_dir(self.state.join("lists"))?
            .filter_map(Result::ok)
            .any(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .ends_with(&format!("_dists_{SUITE}_InRelease"))
            });
        if !listed {
            return Err(step.failure(&format!(
                "no {SUITE} signed by Debian came from {}",
                self.url
            )));
        }
        Ok(())
    }

    fn source(&self) -> PathBuf {
        self.state.join("sources.list")
    }

    /// Options that keep apt away from this machine's state and sources.
    fn options(&self) -> Vec<String> {
        let state = self.state.display();
        [
            "-q".into(),
            format!("-oDir::Etc::sourcelist={}", self.source().display()),
            "-oDir::Etc::sourceparts=/dev/null".into(),
            format!("-oDir::State::lists={state}/lists"),
            format!("-oDir::Cache={state}/cache"),
            "-oAPT::Sandbox::User=root".into(),
            "-oAcquire::Languages=none".into(),
            "-oAcquire::http::Timeout=20".into(),
            "-oAcquire::Retries=1".into(),
        ]
        .into()
    }
}

fn lists_in(state: &Path) -> String {
    format!("Dir::State::lists={}/lists", state.display())
}

/// Downloads a package with these options of apt into a folder of `state` that is empty before, and unpacks it to `to`.
fn unpack(
    paths: &Paths,
    state: &Path,
    options: &[String],
    package: &str,
    to: &Path,
    step: &mut Step,
) -> Result<()> {
    // What an earlier set-up has left may be of another version, or cut off.
    let downloads = state.join("download");
    discard(paths, &downloads)?;
    discard(paths, to)?;
    fs::create_dir_all(&downloads)?;
    let host = Enclosure::host().directory(&downloads);
    step.run(
        host.command("apt-get")
            .args(options)
            .args(["download", package]),
    )?;
    let deb = fs::read_dir(&downloads)?
        .filter_map(Result::ok)
        .find(|entry| entry.path().extension().is_some_and(|end| end == "deb"))
        .with_context(|| {
            format!(
                "apt-get download {package} left no file in {}",
                downloads.display()
            )
        })?;
    step.run(
        Enclosure::host()
            .command("dpkg-deb")
            .arg("-x")
            .arg(deb.path())
            .arg(to),
    )
}

/// This machine's copy of Debian's archive keys, or (on another distribution) the one from its package there.
fn keyring(paths: &Paths, state: &Path, step: &mut Step) -> Result<PathBuf> {
    const KEYS: &str = "usr/share/keyrings/debian-archive-keyring.gpg";
    let own = Path::new("/").join(KEYS);
    if own.exists() {
        return Ok(own);
    }
    step.note(
        "fetching Debian's archive keys, which this machine lacks, from its own distribution",
    );
    let options = [
        "-q".into(),
        "-o".into(),
        lists_in(state),
        "-oAPT::Sandbox::User=root".into(),
    ];
    step.run(
        Enclosure::host()
            .command("apt-get")
            .args(&options)
            .arg("update"),
    )?;
    let keys = state.join("keys");
    unpack(
        paths,
        state,
        &options,
        "debian-archive-keyring",
        &keys,
        step,
    )?;
    Ok(keys.join(KEYS))
}

/// The archives that `apt-get update --print-uris` names, in its order, without those of security updates.
fn candidates(print_uris: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in print_uris.lines() {
        let Some(uri) = line
            .strip_prefix('\'')
            .and_then(|rest| rest.split('\'').next())
        else {
            continue;
        };
        let Some((archive, suite)) = uri
            .strip_suffix("/InRelease")
            .and_then(|uri| uri.rsplit_once("/dists/"))
        else {
            continue;
        };
        let archive = match archive.strip_prefix("mirror+file:") {
            Some(file) => match fs::read_to_string(file)
                .ok()
                .as_deref()
                .and_then(first_of_list)
            {
                Some(first) => first,
                None => continue,
            },
            None => archive.trim_end_matches('/').to_owned(),
        };
        let reachable = archive.starts_with("http://") || archive.starts_with("https://");
        if reachable && !suite.ends_with("-security") && !found.contains(&archive) {
            found.push(archive);
        }
    }
    found
}

/// The first http or https archive of a list in the form of apt-transport-mirror(1).
fn first_of_list(list: &str) -> Option<String> {
    let first_words = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut archives =
        first_words.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    archives
        .next()
        .map(|archive| archive.trim_end_matches('/').to_owned())
}

/// This machine's proxies in apt's configuration, as lines for the root's. Those in the environment are inherited anyway.
pub(super) fn proxies(apt_config_dump: &str) -> String {
    let is_proxy = |line: &&str| {
        let key = line.split(' ').next().unwrap_or_default();
        let rest = key
            .strip_prefix("Acquire::http::Proxy")
            .or_else(|| key.strip_prefix("Acquire::https::Proxy"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    apt_config_dump
        .lines()
        .filter(is_proxy)
        .fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `apt-get update --print-uris` of Debian 12, the host's name replaced.
    const PRINT_URIS: &str = "\
'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_debian_dists_bookworm_InRelease 0 
'http://mirror.example/debian/dists/bookworm-updates/InRelease' mirror.example_debian_dists_bookworm-updates_InRelease 0 
'http://mirror.example/debian-security/dists/bookworm-security/InRelease' mirror.example_debian-security_InRelease 0 
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror.example_binary-amd64_Packages 0 
'https://other.example/node_20.x/dists/nodistro/InRelease' other.example_node%5f20.x_dists_nodistro_InRelease 0 
'cdrom:[Debian]/dists/bookworm/InRelease' Debian_dists_bookworm_InRelease 0 
";

    #[test]
    fn lists_each_archive_once_and_no_security_archive() {
        assert_eq!(
            candidates(PRINT_URIS),
            [
                "http://mirror.example/debian",
                "https://other.example/node_20.x"
            ]
        );
    }

    #[test]
    fn follows_a_mirror_list() {
        let list = "# comment\nhttps://cdn.example/debian/\tpriority:1\nhttp://b.example/debian\n";
        assert_eq!(
            first_of_list(list).as_deref(),
            Some("https://cdn.example/debian")
        );
        assert_eq!(first_of_list("file:/srv/debian\n"), None);
    }

    #[test]
    fn takes_over_proxies_and_nothing_else() {
        let dump = "Acquire::http \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\n\
                    Acquire::http::Proxy::mirror.example \"DIRECT\";\nAcquire::http::Proxy-Auto-Detect \"/usr/bin/x\";\n\
                    Acquire::https::CaInfo \"/etc/ssl/x\";\n";
        let expected = "Acquire::http::Proxy \"http://proxy.example:3128\";\n\
                        Acquire::http::Proxy::mirror.example \"DIRECT\";\n";
        assert_eq!(proxies(dump), expected);
    }
}
