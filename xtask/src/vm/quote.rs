// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Turns a command into a line of shell that runs exactly that command.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A shell script that replaces itself with `command`, whose arguments arrive byte for byte.
///
/// Between single quotes a POSIX shell takes every byte as it is, save the single quote itself.
pub(crate) fn exec(command: &[OsString]) -> Vec<u8> {
    let mut script = b"exec".to_vec();
    for argument in command {
        script.push(b' ');
        quote(argument.as_bytes(), &mut script);
    }
    script.push(b'\n');
    script
}

/// Appends `bytes` as one word of shell.
pub(crate) fn quote(bytes: &[u8], script: &mut Vec<u8>) {
    script.push(b'\'');
    for &byte in bytes {
        if byte == b'\'' {
            script.extend_from_slice(b"'\\''");
        } else {
            script.push(byte);
        }
    }
    script.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::exec;
    use std::ffi::OsString;
    use std::io::Write;
    use std::os::unix::ffi::OsStringExt;
    use std::process::Command;

    fn survives(arguments: &[&[u8]]) {
        let mut command = vec![OsString::from("printf"), OsString::from("%s\\0")];
        command.extend(arguments.iter().map(|a| OsString::from_vec(a.to_vec())));
        let mut script = tempfile::NamedTempFile::new().unwrap();
        script.write_all(&exec(&command)).unwrap();
        let output = Command::new("sh").arg(script.path()).output().unwrap();
        let expected: Vec<u8> = arguments
            .iter()
            .flat_map(|a| a.iter().copied().chain([0]))
            .collect();
        assert_eq!(output.stdout, expected);
        assert_eq!(output.stderr, b"");
    }

    #[test]
    fn spaces_quotes_newlines_and_dollars_survive() {
        survives(&[
            b"a b",
            b"it's",
            b"\"",
            b"\n",
            b"$HOME `id` \\ * ~ #",
            b"",
            b"-n",
            b"''",
        ]);
    }

    #[test]
    fn every_byte_but_nul_survives() {
        let all: Vec<u8> = (1..=255).collect();
        let singles: Vec<Vec<u8>> = (1..=255).map(|byte| vec![byte]).collect();
        let mut arguments: Vec<&[u8]> = vec![&all];
        arguments.extend(singles.iter().map(Vec::as_slice));
        survives(&arguments);
    }
}
