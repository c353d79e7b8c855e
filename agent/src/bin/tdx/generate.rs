// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx completions` and `tdx man`: what packages ship beside the program.

use crate::exit::Exit;
use crate::output;
use crate::Cli;
use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::fs;
use std::path::PathBuf;

/// Print the completions for a shell
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the manual pages to a folder
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tdx", &mut script);
        output::write(&script)?;
        Ok(Exit::Success)
    }
}

impl Man {
    pub(crate) fn run(&self) -> Result<Exit> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder))
            .with_context(|| format!("writing manual pages to {}", self.folder.display()))?;
        Ok(Exit::Success)
    }
}
