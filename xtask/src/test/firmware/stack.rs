// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much stack a program without an operating system can use at most, from its disassembly.
//!
//! A function's frame is taken to be all that its instructions take from RSP together, which is the frame or more. The
//! deepest chain of calls counts. Recursion and calls through pointers have no such number and are errors; but those
//! through the linker's table, which are how the compiler calls the functions that copy and compare memory, are taken for
//! the one of these that uses most.

use std::collections::HashMap;

use anyhow::{bail, Context, Result};

/// What the compiler calls by itself.
const MEMORY_FUNCTIONS: [&str; 5] = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];

/// What a call takes from the stack, for the address to return to.
const RETURN_ADDRESS: u64 = 8;

/// A function of the disassembly.
#[derive(Debug, Default)]
struct Function<'a> {
    frame: u64,
    callees: Vec<&'a str>,
    calls_pointer: bool,
}

/// The bytes of stack that `entry` uses at most, of a disassembly that `objdump -d --no-show-raw-insn` made.
pub(super) fn depth(disassembly: &str, entry: &str) -> Result<u64> {
    let functions = parse(disassembly);
    let mut known = HashMap::new();
    visit(&functions, entry, &mut known)
}

fn visit<'a>(
    functions: &HashMap<&'a str, Function<'a>>,
    name: &'a str,
    known: &mut HashMap<&'a str, Option<u64>>,
) -> Result<u64> {
    match known.get(name) {
        Some(Some(depth)) => return Ok(*depth),
        Some(None) => bail!("{name} calls itself"),
        None => {}
    }
    if MEMORY_FUNCTIONS.contains(&name) && !functions.contains_key(name) {
        // The program does without.
        return Ok(0);
    }
    let function = functions
        .get(name)
        .with_context(|| format!("{name} is called, and not in the disassembly"))?;
    if function.calls_pointer {
        bail!("{name} calls through a pointer");
    }
    known.insert(name, None);
    let mut deepest = 0;
    for callee in &function.callees {
        deepest = deepest.max(RETURN_ADDRESS + visit(functions, callee, known)?);
    }
    let depth = function.frame + deepest;
    known.insert(name, Some(depth));
    Ok(depth)
}

fn parse(disassembly: &str) -> HashMap<&str, Function<'_>> {
    let mut functions: HashMap<&str, Function<'_>> = HashMap::new();
    let mut current = "";
    for line in disassembly.lines() {
        if let Some((_, name)) = line
            .strip_suffix(">:")
            .and_then(|line| line.split_once(" <"))
        {
            current = name;
            functions.entry(name).or_default();
        } else if let (Some((_, instruction)), Some(function)) =
            (line.split_once(":\t"), functions.get_mut(current))
        {
            function.add(current, instruction.trim());
        }
    }
    functions
}

impl<'a> Function<'a> {
    /// Takes an instruction in AT&T's syntax into account.
    fn add(&mut self, own_name: &str, instruction: &'a str) {
        let (name, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
        let operands = operands.trim();
        match name {
            "push" => self.frame += 8,
            "sub" => self.frame += immediate(operands, ",%rsp").unwrap_or(0),
            // Down to a multiple: of 64, say, for 0xffffffffffffffc0.
            "and" => self.frame += immediate(operands, ",%rsp").map_or(0, u64::wrapping_neg),
            "lea" => {
                let below = operands
                    .strip_prefix("-0x")
                    .and_then(|rest| rest.split_once("(%rsp)"));
                let bytes = below.and_then(|(digits, _)| u64::from_str_radix(digits, 16).ok());
                self.frame += bytes.unwrap_or(0);
            }
            "call" if operands.starts_with('*') && operands.contains("(%rip)") => {
                self.callees.extend(MEMORY_FUNCTIONS);
            }
            _ if name == "call" || name.starts_with('j') => {
                if operands.starts_with('*') {
                    // A jump through a register is the table of a `match`.
                    self.calls_pointer |= name == "call";
                } else if let Some((_, target)) = operands.split_once('<') {
                    let target = target.trim_end_matches('>');
                    let target = target.split_once("+0x").map_or(target, |(name, _)| name);
                    if name == "call" || target != own_name {
                        self.callees.push(target);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The number of `$0x12,%rsp`.
fn immediate(operands: &str, behind: &str) -> Option<u64> {
    let digits = operands.strip_prefix("$0x")?.strip_suffix(behind)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::depth;

    const PROGRAM: &str = "\
0000000000001000 <_start>:
  1000:\tpush   %rbp
  1001:\tsub    $0x100,%rsp
  1008:\tcall   2000 <leaf>
  100d:\tcall   *0x5f43(%rip)        # 207958 <x+0x10>
  1013:\tjmp    1008 <_start+0x8>

0000000000002000 <leaf>:
  2000:\tand    $0xffffffffffffffc0,%rsp
  2004:\tlea    -0x20(%rsp),%rsi
  2008:\tjmp    3000 <memcpy>

0000000000003000 <memcpy>:
  3000:\tret
0000000000003001 <memmove>:
  3001:\tret
0000000000003002 <memset>:
  3002:\tsub    $0x200,%rsp
0000000000003003 <memcmp>:
  3003:\tret
0000000000003004 <bcmp>:
  3004:\tret
";

    #[test]
    fn the_deepest_chain_counts() {
        assert_eq!(depth(PROGRAM, "_start").unwrap(), 8 + 0x100 + 8 + 0x200);
        assert_eq!(depth(PROGRAM, "leaf").unwrap(), 64 + 0x20 + 8);
    }

    #[test]
    fn what_has_no_bound_is_an_error() {
        let recursive = PROGRAM.replace("2000 <leaf>\n", "1000 <_start>\n");
        assert!(depth(&recursive, "_start")
            .unwrap_err()
            .to_string()
            .contains("itself"));
        let pointer = PROGRAM.replace("call   2000 <leaf>", "call   *%rax");
        assert!(depth(&pointer, "_start")
            .unwrap_err()
            .to_string()
            .contains("pointer"));
    }
}
