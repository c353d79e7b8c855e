// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What goes into a command and what comes out of it.

use super::{command, shell, Check, LIMIT};
use crate::vm::{Guest, Stdin};
use anyhow::{ensure, Result};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

pub(super) const CHECKS: &[Check] = &[
    ("status_is_the_commands", status_is_the_commands),
    ("status_tells_the_signal", status_tells_the_signal),
    ("missing_command_is_127", missing_command_is_127),
    (
        "command_that_cannot_run_is_126",
        command_that_cannot_run_is_126,
    ),
    ("streams_carry_every_byte", streams_carry_every_byte),
    (
        "streams_can_be_opened_by_name",
        streams_can_be_opened_by_name,
    ),
    ("large_output_is_complete", large_output_is_complete),
    ("input_arrives_whole_and_ends", input_arrives_whole_and_ends),
    ("input_may_be_left_unread", input_may_be_left_unread),
    ("arguments_survive", arguments_survive),
    (
        "processes_left_behind_are_killed",
        processes_left_behind_are_killed,
    ),
];

fn status_is_the_commands(guest: &Guest) -> Result<()> {
    for status in [0, 1, 255] {
        let output = shell(guest, &format!("exit {status}"))?;
        ensure!(
            output.status == status,
            "{} instead of {status}",
            output.status
        );
        ensure!(
            output.console.splats().is_empty(),
            "{:?}",
            output.console.splats()
        );
    }
    Ok(())
}

fn status_tells_the_signal(guest: &Guest) -> Result<()> {
    for (signal, status) in [("KILL", 137), ("SEGV", 139), ("INT", 130)] {
        let output = shell(guest, &format!("kill -{signal} $$"))?;
        ensure!(
            output.status == status,
            "{} instead of {status}",
            output.status
        );
    }
    Ok(())
}

fn missing_command_is_127(guest: &Guest) -> Result<()> {
    let output = command(guest, &["no-such-command", "x"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status == 127, "{}", output.status);
    ensure!(said.contains("no-such-command: not found"), "{said}");
    ensure!(output.stdout.is_empty());
    Ok(())
}

fn command_that_cannot_run_is_126(guest: &Guest) -> Result<()> {
    let output = command(guest, &["/etc/passwd"])?;
    ensure!(output.status == 126, "{}", output.status);
    Ok(())
}

fn streams_carry_every_byte(guest: &Guest) -> Result<()> {
    let mut all: Vec<u8> = (0..=255).collect();
    // Line ends of every kind, and none at the end.
    all.extend_from_slice(b"\r\n\n\r\x04\x1a\x11\x13 end");
    let script = [OsString::from("sh"), "-c".into(), "tee /dev/stderr".into()];
    let output = guest.output(&script, Some(LIMIT), Stdin::Bytes(&all))?;
    ensure!(output.stdout == all, "standard output: {:?}", output.stdout);
    ensure!(output.stderr == all, "standard error: {:?}", output.stderr);
    let both = shell(guest, "printf out; printf err >&2")?;
    ensure!(
        (&both.stdout[..], &both.stderr[..]) == (b"out", b"err"),
        "{both:?}"
    );
    Ok(())
}

fn streams_can_be_opened_by_name(guest: &Guest) -> Result<()> {
    let script =
        "echo a >/dev/stdout; echo b >/dev/stderr; echo c >/proc/self/fd/1; sleep 1; cat /dev/stdin";
    let script = [OsString::from("sh"), "-c".into(), script.into()];
    let output = guest.output(&script, Some(LIMIT), Stdin::Bytes(b"d\n"))?;
    ensure!(
        output.stdout == b"a\nc\nd\n" && output.stderr == b"b\n",
        "{output:?}"
    );
    Ok(())
}

/// The last bytes are on their way while the guest is powering off.
fn large_output_is_complete(guest: &Guest) -> Result<()> {
    const SIZE: usize = 100 << 20;
    let script =
        "yes 0123456789abcde | dd bs=65536 iflag=fullblock count=1600 2>/dev/null; printf end >&2";
    let output = shell(guest, script)?;
    ensure!(output.stdout.len() == SIZE, "{} bytes", output.stdout.len());
    let wrong = output
        .stdout
        .chunks(16)
        .position(|line| line != b"0123456789abcde\n");
    ensure!(wrong.is_none(), "wrong from line {wrong:?} on");
    ensure!(output.stderr == b"end");
    Ok(())
}

/// A number of bytes that no one has chosen for its patterns.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    std::iter::repeat_with(|| {
        // The multiplier of Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(size)
    .collect()
}

fn input_arrives_whole_and_ends(guest: &Guest) -> Result<()> {
    let cat = [OsString::from("sh"), "-c".into(), "sleep 1; cat".into()];
    for input in [noise(10 << 20), noise(1), Vec::new()] {
        let output = guest.output(&cat, Some(LIMIT), Stdin::Bytes(&input))?;
        ensure!(
            output.stdout == input,
            "{} bytes of {} came back, or not the same",
            output.stdout.len(),
            input.len()
        );
    }
    let none = shell(guest, "cat; readlink /proc/self/fd/0")?;
    ensure!(none.stdout == b"/dev/null\n", "{none:?}");
    Ok(())
}

fn input_may_be_left_unread(guest: &Guest) -> Result<()> {
    let head = ["head", "-c", "3"].map(OsString::from);
    let input = noise(4 << 20);
    let output = guest.output(&head, Some(LIMIT), Stdin::Bytes(&input))?;
    ensure!(
        output.status == 0 && output.stdout == input[..3],
        "{output:?}"
    );
    Ok(())
}

fn arguments_survive(guest: &Guest) -> Result<()> {
    let mut arguments: Vec<Vec<u8>> = (1..=255).map(|byte| vec![byte]).collect();
    arguments.push((1..=255).collect());
    for text in [
        "",
        " ",
        "a b",
        "it's",
        "\"$HOME\" `id` $(id)",
        "\n",
        "-n",
        "*",
        "~",
        "\\",
    ] {
        arguments.push(text.as_bytes().to_vec());
    }
    let mut command: Vec<OsString> = vec!["printf".into(), "%s\\000".into()];
    command.extend(arguments.iter().cloned().map(OsString::from_vec));
    let output = guest.output(&command, Some(LIMIT), Stdin::Null)?;
    let arrived: Vec<&[u8]> = output.stdout.split(|&byte| byte == 0).collect();
    ensure!(
        arrived.len() == arguments.len() + 1,
        "{} arguments",
        arrived.len()
    );
    for (sent, arrived) in arguments.iter().zip(arrived) {
        ensure!(sent == arrived, "{sent:?} arrived as {arrived:?}");
    }
    Ok(())
}

fn processes_left_behind_are_killed(guest: &Guest) -> Result<()> {
    let script = "sleep 1000 &
        setsid sh -c 'trap \"\" TERM HUP INT; while :; do echo late; sleep 0.1; done' &
        sleep 1; echo last >&2; exit 5";
    let output = shell(guest, script)?;
    ensure!(
        output.status == 5 && output.stderr == b"last\n",
        "{output:?}"
    );
    ensure!(output.stdout.starts_with(b"late\n"), "{output:?}");
    Ok(())
}
