// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The choice of a kernel from real package indices: in them, 7.3 has headers, source and an unsigned image, but no signed one.

use super::*;

const BACKPORTS: &str = include_str!("../testdata/backports.index");
const MAIN: &str = include_str!("../testdata/main.index");

fn archive(indices: &[&str]) -> Archive {
    let mut archive = Archive::default();
    for index in indices {
        archive.add_index(&mut index.as_bytes()).unwrap();
    }
    archive
}

/// The index without the packages whose names contain `part`.
fn without(index: &str, part: &str) -> String {
    let kept = index
        .split("\n\n")
        .filter(|stanza| !stanza.lines().next().unwrap_or_default().contains(part));
    kept.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn the_newest_source_is_not_taken_before_its_signed_image() {
    let choice = Choice::newest(&archive(&[BACKPORTS]), Flavour::Cloud).unwrap();
    assert_eq!(choice.release, "7.2.12+deb13-cloud-amd64");
    assert_eq!(choice.version, "7.2.12-1~bpo13+1");
    assert_eq!(
        (choice.source.as_str(), choice.signed),
        ("linux-source-7.2", true)
    );
}

#[test]
fn follows_the_parts_that_an_image_is_split_into() {
    let mut choice = Choice::newest(&archive(&[BACKPORTS]), Flavour::Cloud).unwrap();
    choice.image.sort();
    let names = ["base", "binary", "image", "modules"]
        .map(|part| format!("linux-{part}-7.2.12+deb13-cloud-amd64"));
    assert_eq!(choice.image, names);
    assert!(choice
        .packages()
        .any(|package| package == "linux-source-7.2=7.2.12-1~bpo13+1"));
}

#[test]
fn falls_back_to_the_newest_that_is_whole() {
    let index = without(BACKPORTS, "linux-headers-7.2.12+deb13-cloud");
    assert_eq!(
        Choice::newest(&archive(&[&index]), Flavour::Cloud)
            .unwrap()
            .version,
        "7.2.11-1~bpo13+1"
    );
    let index = without(BACKPORTS, "linux-modules-7.2.12+deb13-cloud");
    assert_eq!(
        Choice::newest(&archive(&[&index]), Flavour::Cloud)
            .unwrap()
            .version,
        "7.2.11-1~bpo13+1"
    );
    let index = without(BACKPORTS, "linux-source-7.2");
    let error = Choice::newest(&archive(&[&index]), Flavour::Cloud)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "7.2.12+deb13-cloud-amd64 (7.2.12-1~bpo13+1): no linux-source-7.2 7.2.12-1~bpo13+1"
        ),
        "{error}"
    );
}

#[test]
fn flavours_are_told_apart() {
    let choice = Choice::newest(&archive(&[BACKPORTS]), Flavour::Generic).unwrap();
    assert_eq!(choice.release, "7.2.12+deb13-amd64");
    assert_eq!(flavour_of("7.2.12+deb13-amd64"), Some(Flavour::Generic));
    assert_eq!(flavour_of("7.2.12+deb13-cloud-amd64"), Some(Flavour::Cloud));
    assert_eq!(flavour_of("7.2.12+deb13-rt-amd64"), None);
    assert_eq!(flavour_of("7.2.12+deb13-common"), None);
}

#[test]
fn a_kernel_is_named_in_each_way_that_users_know() {
    let archive = archive(&[BACKPORTS]);
    for name in [
        "7.2.9+deb13-cloud-amd64",
        "7.2.9+deb13",
        "7.2.9-1~bpo13+1",
        "7.2.9",
    ] {
        assert_eq!(
            Choice::named(&archive, name, Flavour::Cloud)
                .unwrap()
                .release,
            "7.2.9+deb13-cloud-amd64",
            "{name}"
        );
    }
}

#[test]
fn a_kernel_asked_for_may_be_unsigned() {
    let choice = Choice::named(&archive(&[BACKPORTS]), "7.3.4", Flavour::Cloud).unwrap();
    assert!(!choice.signed);
    assert!(
        choice
            .image
            .contains(&"linux-modules-7.3.4+deb13-cloud-amd64".to_owned()),
        "{:?}",
        choice.image
    );
}

#[test]
fn an_older_image_is_one_package() {
    let choice = Choice::named(&archive(&[BACKPORTS, MAIN]), "6.12.107", Flavour::Cloud).unwrap();
    assert_eq!(choice.image, ["linux-image-6.12.107+deb13-cloud-amd64"]);
    assert_eq!(choice.source, "linux-source-6.12");
}

#[test]
fn an_unknown_kernel_is_answered_with_those_there_are() {
    let error = Choice::named(&archive(&[BACKPORTS]), "7.1.13", Flavour::Cloud)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no linux-headers-7.1.13+deb13-cloud-amd64"),
        "{error}"
    );
    assert!(
        error.contains("7.3.4+deb13-cloud-amd64 (7.3.4-1~bpo13+1): no signed image yet"),
        "{error}"
    );
}

#[test]
fn the_debug_kernel_is_debians_source_and_nothing_else() {
    let archive = archive(&[BACKPORTS]);
    let choice = Choice::newest(&archive, Flavour::Debug).unwrap();
    assert_eq!(choice.release, "7.2.12-tdx-debug");
    let packages: Vec<_> = choice.packages().collect();
    assert_eq!(packages, ["linux-source-7.2=7.2.12-1~bpo13+1"]);
    for name in ["7.2.12-tdx-debug", "7.2.12-1~bpo13+1", "7.2.12"] {
        let named = Choice::named(&archive, name, Flavour::Debug).unwrap();
        assert_eq!(named, choice, "{name}");
    }
    assert_eq!(flavour_of("7.2.12-tdx-debug"), Some(Flavour::Debug));
}
