// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A policy as CoRIM, read by `corim-rs`, which has a CBOR reader and a model of its own. The environment variable `TDX` names
//! the command that writes it, by default the one in the PATH.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use corim_rs::core::{Bytes, ExtensionValue, HashAlgorithm, RawValueTypeChoice, Ulabel};
use corim_rs::corim::Corim;
use corim_rs::triples::{MeasuredElementTypeChoice, MeasurementMap, ReferenceTripleRecord};
use tempfile::tempdir;

/// What a triple says: names as in the policy, and values as digits.
type State = BTreeMap<String, String>;

fn digits(bytes: &Bytes) -> String {
    hex::encode(bytes.as_slice())
}

/// The SHA-384 in a list of digests, as an extension has it.
fn sha384(value: &ExtensionValue<'_>) -> String {
    let ExtensionValue::Array(digests) = value else {
        panic!("no list of digests: {value:?}");
    };
    let [ExtensionValue::Array(digest)] = digests.as_slice() else {
        panic!("not one digest: {digests:?}");
    };
    match digest.as_slice() {
        [ExtensionValue::Int(algorithm), ExtensionValue::Bytes(bytes)] => {
            assert_eq!(*algorithm, 7.into());
            digits(bytes)
        }
        [ExtensionValue::Uint(algorithm), ExtensionValue::Bytes(bytes)] => {
            assert_eq!(*algorithm, 7.into());
            digits(bytes)
        }
        other => panic!("no digest: {other:?}"),
    }
}

/// Bytes, or a value and a mask.
fn masked(value: &ExtensionValue<'_>) -> String {
    match value {
        ExtensionValue::Bytes(bytes) => digits(bytes),
        ExtensionValue::Tag(560, bytes) => masked(bytes),
        ExtensionValue::Tag(563, pair) => match &**pair {
            ExtensionValue::Array(pair) => {
                pair.iter().map(masked).collect::<Vec<_>>().join(" mask ")
            }
            other => panic!("no value and mask: {other:?}"),
        },
        other => panic!("no value: {other:?}"),
    }
}

fn read_measurement(measurement: &MeasurementMap<'_>, state: &mut State) {
    let values = &measurement.mval;
    if let Some(MeasuredElementTypeChoice::Tstr(name)) = &measurement.mkey {
        let raw = values.raw.as_ref().expect("a raw value");
        let RawValueTypeChoice::TaggedBytes(bytes) = &raw.raw_value else {
            panic!("no bytes: {raw:?}");
        };
        state.insert(name.to_string(), hex::encode(bytes.as_ref().as_slice()));
        return;
    }
    for (register, found) in values.integrity_registers.iter().flat_map(|map| &map.0) {
        let Ulabel::Uint(number) = register else {
            panic!("no number: {register:?}");
        };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].alg, HashAlgorithm::Sha384);
        let number = (0..4_u32)
            .find(|index| *number == (*index).into())
            .expect("0 to 3");
        state.insert(format!("rtmr{number}"), digits(&found[0].val));
    }
    for (number, value) in values.extensions.iter().flat_map(|map| &map.0) {
        if *number == (-82).into() {
            state.insert("attributes".into(), masked(value));
        } else if *number == (-83).into() {
            state.insert("measurement".into(), sha384(value));
        } else {
            panic!("there is no extension {number:?}");
        }
    }
}

/// The model of the environment, and what is expected of it.
fn read_triple(triple: &ReferenceTripleRecord<'_>) -> (String, State) {
    let class = triple.ref_env.class.as_ref().expect("a class");
    assert_eq!(class.vendor.as_deref(), Some("Intel Corporation"));
    let model = class.model.as_deref().expect("a model").to_owned();
    let mut state = State::new();
    for measurement in &triple.ref_claims {
        read_measurement(measurement, &mut state);
    }
    (model, state)
}

/// All that is in a CoRIM.
fn read(bytes: &[u8]) -> Vec<(String, State)> {
    let corim = Corim::from_cbor(bytes).expect("a CoRIM");
    let map = corim.as_unsigned_ref().expect("one that is not signed");
    assert_eq!(map.id.as_str(), Some("a policy"));
    let profile = map.profile.as_ref().expect("a profile");
    assert_eq!(
        profile.as_oid_bytes().map(hex::encode).as_deref(),
        // 2.16.840.1.113741.1.16.1
        Some("6086480186f84d011001")
    );
    let [tag] = map.tags.as_slice() else {
        panic!("not one tag");
    };
    let comid = tag.as_ref_comid().expect("a CoMID");
    let triples = comid.triples.reference_triples.as_ref().expect("triples");
    triples.iter().map(read_triple).collect()
}

/// The CoRIM of a policy.
fn export(policy: &str) -> Vec<u8> {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join("policy.toml"), policy).expect("a file");
    let tdx = std::env::var_os("TDX").unwrap_or_else(|| "tdx".into());
    let status = Command::new(tdx)
        .args(["policy", "export", "policy.toml", "--corim", "policy.corim"])
        .args(["--id", "a policy"])
        .current_dir(folder.path())
        .status()
        .expect("the command tdx, in the PATH or named by TDX");
    assert!(status.success());
    fs::read(folder.path().join("policy.corim")).expect("a file")
}

fn value(digit: char) -> String {
    digit.to_string().repeat(96)
}

#[test]
fn every_value_of_a_policy_is_read_back() {
    let names = [
        "mrseam",
        "mrtd",
        "mrconfigid",
        "mrowner",
        "mrownerconfig",
        "rtmr0",
        "rtmr1",
        "rtmr2",
        "rtmr3",
    ];
    let mut policy =
        String::from("[td]\nattributes = [\"0000001000000000\"]\nxfam = [\"e702060000000000\"]\n");
    for (name, digit) in names.iter().zip('1'..) {
        policy += &format!("{name} = [\"{}\"]\n", value(digit));
    }
    let bytes = export(&policy);

    let mut expected = State::new();
    for (name, digit) in names[2..].iter().zip('3'..) {
        expected.insert((*name).into(), value(digit));
    }
    expected.insert("measurement".into(), value('2'));
    expected.insert("attributes".into(), "0000001000000000".into());
    expected.insert("xfam".into(), "e702060000000000".into());
    expected.insert("servtd_hash".into(), value('0'));
    let module = State::from([("measurement".into(), value('1'))]);
    assert_eq!(
        read(&bytes),
        [("TDX SEAM".into(), module), ("TDX TD".into(), expected)]
    );
}

#[test]
fn alternatives_are_triples_of_their_own() {
    let [one, two, three, four] = ['1', '2', '3', '4'].map(value);
    let bytes = export(&format!(
        "[td]\nmrtd = [\"{one}\", \"{two}\"]\nrtmr1 = [\"{three}\", \"{four}\"]\n"
    ));
    let found: Vec<_> = read(&bytes)
        .into_iter()
        .map(|(_, state)| {
            // What is not allowed is said, too.
            assert_eq!(
                state["attributes"],
                "0000000000000000 mask ff00000000000000"
            );
            assert_eq!(state["servtd_hash"], value('0'));
            (state["measurement"].clone(), state["rtmr1"].clone())
        })
        .collect();
    let mut expected = Vec::new();
    for rtmr1 in ['3', '4'] {
        for mrtd in ['1', '2'] {
            expected.push((value(mrtd), value(rtmr1)));
        }
    }
    assert_eq!(found, expected);
}
