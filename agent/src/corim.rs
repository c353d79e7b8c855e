// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Policies as reference values for other verifiers: a CoRIM with one CoMID, not signed.
//!
//! ```
//! let policy = tdx_agent::Policy::from_toml(&format!("[td]\nmrtd = [\"{}\"]", "0".repeat(96)))?;
//! let corim = tdx_agent::corim::from_policy(&policy, "example of a TD")?;
//! // The tag of a CoRIM that is not signed.
//! assert!(corim.starts_with(&[0xd9, 0x01, 0xf5]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is expected of a TD is in reference triples with the class of vendor "Intel Corporation" and model "TDX TD", what is
//! expected of the TDX module in those of model "TDX SEAM":
//!
//! | in the policy | in the CoRIM |
//! | --- | --- |
//! | `mrtd`, and `mrseam` of the TDX module | `tee.mrtee` (-83) |
//! | `attributes` | `tee.attributes` (-82); without a value, that none of the bits for debugging is set, by a mask |
//! | `rtmr0` to `rtmr3` | `integrity-registers` (14) of the numbers 0 to 3 |
//! | `xfam`, `mrconfigid`, `mrowner`, `mrownerconfig` | `raw-value` (4) under their names as measurement key |
//! | `allow_service_td = false` | `raw-value` of zeros under the key `servtd_hash` |
//!
//! Where a policy accepts several values, there is one triple for each combination, as the specification wants it. What a
//! policy says of TCB statuses, advisories and single events has no place there, and is left out.
//!
//! Sources: *Concise Reference Integrity Manifest* (draft-ietf-rats-corim), and *Intel Profile for CoRIM*
//! (draft-cds-rats-intel-corim-profile), which has the negative numbers.

use crate::Policy;
use minicbor::data::Tag;
use minicbor::encode::Error;
use minicbor::Encoder;
use std::convert::Infallible;
use tdx_uapi::DIGEST_LEN;

/// The tag of a CoRIM that is not signed.
const CORIM: Tag = Tag::new(501);
/// That of a CoMID.
const COMID: Tag = Tag::new(506);
/// That of bytes.
const BYTES: Tag = Tag::new(560);
/// That of a value and a mask.
const MASKED: Tag = Tag::new(563);
/// That of an object identifier.
const OID: Tag = Tag::new(111);

/// Intel's profile, 2.16.840.1.113741.1.16.1.
const INTEL_PROFILE: [u8; 10] = [0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x4d, 0x01, 0x10, 0x01];

/// SHA-384 in IANA's registry of named information hash algorithms.
const SHA384: u8 = 7;

/// How many combinations of values are written.
const MAX_STATES: usize = 1024;

/// The bits of ATTRIBUTES that let the host look into the TD.
const UNTRUSTED: [u8; 8] = [0xff, 0, 0, 0, 0, 0, 0, 0];

/// Why a policy is no CoRIM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorimError {
    /// A value is wrong.
    #[error(transparent)]
    Policy(#[from] crate::PolicyError),
    /// A list accepts nothing.
    #[error(
        "no value of {0} is accepted, which a CoRIM cannot say; remove the list, or put values in"
    )]
    NoValue(&'static str),
    /// Nothing is expected.
    #[error("the policy expects nothing that a CoRIM can say")]
    Nothing,
    /// The values of the lists have too many combinations.
    #[error("the accepted values have {0} combinations, expected at most {MAX_STATES}; make several policies")]
    TooMany(usize),
}

/// Where in a CoMID a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A register, by number.
    Register(u8),
    /// ATTRIBUTES.
    Attributes,
    /// The measurement of the TD, or of the TDX module.
    Measurement,
    /// Bytes under a name.
    Raw(&'static str),
}

/// A value, and which of its bits count if not all do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    bytes: Vec<u8>,
    mask: Option<[u8; 8]>,
}

/// A place, and the values that are accepted there.
type Accepted = (Place, Vec<Value>);

/// A value for each place.
type State<'a> = Vec<(Place, &'a Value)>;

type Written = Result<(), Error<Infallible>>;

/// Writes a policy as a CoRIM, whose identifier and that of the CoMID in it is `id`.
///
/// # Errors
///
/// [`CorimError`].
pub fn from_policy(policy: &Policy, id: &str) -> Result<Vec<u8>, CorimError> {
    policy.check()?;
    let (module, td) = (of_module(policy)?, of_td(policy)?);
    let module = ("TDX SEAM", states(&module)?);
    let td = ("TDX TD", states(&td)?);
    let environments = [module, td];
    if environments.iter().all(|(_, states)| states.is_empty()) {
        return Err(CorimError::Nothing);
    }
    let mut comid = Encoder::new(Vec::new());
    write_comid(&mut comid, id, &environments).expect("there is room in memory");
    let mut corim = Encoder::new(Vec::new());
    write_corim(&mut corim, id, comid.writer()).expect("there is room in memory");
    Ok(corim.into_writer())
}

/// The values in a list of the policy.
fn accepted(
    place: Place,
    name: &'static str,
    list: &Option<Vec<String>>,
) -> Result<Option<Accepted>, CorimError> {
    let Some(list) = list else { return Ok(None) };
    let mut values: Vec<Value> = Vec::new();
    for text in list {
        let bytes = hex::decode(text).expect("the policy was checked");
        if !values.iter().any(|value| value.bytes == bytes) {
            values.push(Value { bytes, mask: None });
        }
    }
    match values.is_empty() {
        true => Err(CorimError::NoValue(name)),
        false => Ok(Some((place, values))),
    }
}

/// What is expected of the TDX module.
fn of_module(policy: &Policy) -> Result<Vec<Accepted>, CorimError> {
    let mrseam = accepted(Place::Measurement, "mrseam", &policy.td.mrseam)?;
    Ok(mrseam.into_iter().collect())
}

/// What is expected of the TD.
fn of_td(policy: &Policy) -> Result<Vec<Accepted>, CorimError> {
    let td = &policy.td;
    let mut all = Vec::new();
    for (place, name, list) in [
        (Place::Register(0), "rtmr0", &td.rtmr0),
        (Place::Register(1), "rtmr1", &td.rtmr1),
        (Place::Register(2), "rtmr2", &td.rtmr2),
        (Place::Register(3), "rtmr3", &td.rtmr3),
        (Place::Measurement, "mrtd", &td.mrtd),
        (Place::Raw("xfam"), "xfam", &td.xfam),
        (Place::Raw("mrconfigid"), "mrconfigid", &td.mrconfigid),
        (Place::Raw("mrowner"), "mrowner", &td.mrowner),
        (
            Place::Raw("mrownerconfig"),
            "mrownerconfig",
            &td.mrownerconfig,
        ),
    ] {
        all.extend(accepted(place, name, list)?);
    }
    match accepted(Place::Attributes, "attributes", &td.attributes)? {
        Some((place, mut values)) => {
            // A policy that does not allow debugging refuses such values although they are listed.
            values.retain(|value| td.allow_debug || value.bytes[0] == 0);
            if values.is_empty() {
                return Err(CorimError::NoValue("attributes"));
            }
            all.push((place, values));
        }
        None if td.allow_debug => {}
        None => {
            let not_debug = Value {
                bytes: vec![0; UNTRUSTED.len()],
                mask: Some(UNTRUSTED),
            };
            all.push((Place::Attributes, vec![not_debug]));
        }
    }
    if !td.allow_service_td {
        let none = Value {
            bytes: vec![0; DIGEST_LEN],
            mask: None,
        };
        all.push((Place::Raw("servtd_hash"), vec![none]));
    }
    Ok(all)
}

/// Every combination of values; none if nothing is expected.
fn states(all: &[Accepted]) -> Result<Vec<State<'_>>, CorimError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let count = all.iter().fold(1_usize, |count, (_, values)| {
        count.saturating_mul(values.len())
    });
    if count > MAX_STATES {
        return Err(CorimError::TooMany(count));
    }
    let mut states: Vec<State<'_>> = vec![Vec::new()];
    for (place, values) in all {
        states = states
            .iter()
            .flat_map(|state| {
                values.iter().map(|value| {
                    let mut state = state.clone();
                    state.push((*place, value));
                    state
                })
            })
            .collect();
    }
    Ok(states)
}

fn write_corim(to: &mut Encoder<Vec<u8>>, id: &str, comid: &[u8]) -> Written {
    to.tag(CORIM)?.map(3)?;
    to.u8(0)?.str(id)?;
    to.u8(1)?.array(1)?.tag(COMID)?.bytes(comid)?;
    to.u8(3)?.tag(OID)?.bytes(&INTEL_PROFILE)?;
    Ok(())
}

fn write_comid(
    to: &mut Encoder<Vec<u8>>,
    id: &str,
    environments: &[(&str, Vec<State<'_>>)],
) -> Written {
    let count: usize = environments.iter().map(|(_, states)| states.len()).sum();
    to.map(2)?;
    // Its identity.
    to.u8(1)?.map(1)?.u8(0)?.str(id)?;
    // Triples, of which there are reference triples.
    to.u8(4)?.map(1)?.u8(0)?.array(count as u64)?;
    for (model, states) in environments {
        for state in states {
            to.array(2)?;
            // The class, by vendor and model.
            to.map(1)?.u8(0)?.map(2)?;
            to.u8(1)?.str("Intel Corporation")?.u8(2)?.str(model)?;
            write_measurements(to, state)?;
        }
    }
    Ok(())
}

/// One measurement without a key, for what has a number of its own, and one for each value that has a name.
fn write_measurements(to: &mut Encoder<Vec<u8>>, state: &State<'_>) -> Written {
    let (named, numbered): (Vec<_>, Vec<_>) = state
        .iter()
        .partition(|(place, _)| matches!(place, Place::Raw(_)));
    to.array(named.len() as u64 + u64::from(!numbered.is_empty()))?;
    if !numbered.is_empty() {
        to.map(1)?.u8(1)?;
        write_numbered(to, &numbered)?;
    }
    for (place, value) in named {
        if let Place::Raw(name) = place {
            to.map(2)?.u8(0)?.str(name)?;
            to.u8(1)?.map(1)?.u8(4)?.tag(BYTES)?.bytes(&value.bytes)?;
        }
    }
    Ok(())
}

/// The values that have a number of their own, in the order that makes the encoding deterministic.
fn write_numbered(to: &mut Encoder<Vec<u8>>, values: &State<'_>) -> Written {
    let registers: Vec<_> = values
        .iter()
        .filter_map(|(place, value)| match place {
            Place::Register(number) => Some((number, value)),
            _ => None,
        })
        .collect();
    let others = values.len() - registers.len();
    to.map(others as u64 + u64::from(!registers.is_empty()))?;
    if !registers.is_empty() {
        to.u8(14)?.map(registers.len() as u64)?;
        for (number, value) in registers {
            to.u8(*number)?;
            write_digests(to, &value.bytes)?;
        }
    }
    let find = |wanted| values.iter().find(|(place, _)| *place == wanted);
    if let Some((_, value)) = find(Place::Attributes) {
        to.i8(-82)?;
        match &value.mask {
            Some(mask) => to.tag(MASKED)?.array(2)?.bytes(&value.bytes)?.bytes(mask)?,
            None => to.tag(BYTES)?.bytes(&value.bytes)?,
        };
    }
    if let Some((_, value)) = find(Place::Measurement) {
        write_digests(to.i8(-83)?, &value.bytes)?;
    }
    Ok(())
}

fn write_digests(to: &mut Encoder<Vec<u8>>, digest: &[u8]) -> Written {
    to.array(1)?.array(2)?.u8(SHA384)?.bytes(digest)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(digit: char) -> String {
        digit.to_string().repeat(96)
    }

    #[test]
    fn alternatives_become_states() {
        let mut policy = Policy::default();
        policy.td.mrtd = Some(vec![digits('1'), digits('2'), digits('1')]);
        policy.td.rtmr1 = Some(vec![digits('3'), digits('4')]);
        let td = of_td(&policy).expect("values");
        let states = states(&td).expect("states");
        assert_eq!(states.len(), 4);
        assert!(states.iter().all(|state| state.len() == 4));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let refusal = |policy: &Policy| from_policy(policy, "id").expect_err("a refusal");
        let mut policy = Policy::default();
        policy.td.allow_debug = true;
        policy.td.allow_service_td = true;
        assert_eq!(refusal(&policy), CorimError::Nothing);
        policy.td.mrtd = Some(Vec::new());
        assert_eq!(refusal(&policy), CorimError::NoValue("mrtd"));
        policy.td.mrtd = Some(vec!["00".into()]);
        assert!(matches!(refusal(&policy), CorimError::Policy(_)));
        let many = (0..33).map(|number| format!("{number:096x}")).collect();
        policy.td.mrtd = Some(many);
        policy.td.rtmr0 = policy.td.mrtd.clone();
        assert_eq!(refusal(&policy), CorimError::TooMany(33 * 33));
        // Debugging is not allowed, and the only value is one with it.
        let mut policy = Policy::default();
        policy.td.attributes = Some(vec!["0100000000000000".into()]);
        assert_eq!(refusal(&policy), CorimError::NoValue("attributes"));
    }
}
