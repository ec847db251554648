//! The NIC profiles in `nic-config/profiles` say what this crate does.

use std::collections::BTreeSet;
use std::path::Path;

use dpdk::{EalConfig, Memory, Vdev};
use toml::{Table, Value};

fn profiles() -> Vec<(String, Table)> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../nic-config/profiles"));
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut profiles: Vec<(String, Table)> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap().parse().unwrap())
        })
        .collect();
    profiles.sort_by(|a, b| a.0.cmp(&b.0));
    profiles
}

fn strings<'a>(table: &'a Table, key: &str) -> Vec<&'a str> {
    table[key].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

fn text<'a>(table: &'a Table, section: &str, key: &str) -> &'a str {
    table[section][key].as_str().unwrap()
}

#[test]
fn every_profile_has_the_same_shape() {
    let names: Vec<String> = profiles().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["af_packet", "af_xdp", "i40e", "ice", "mlx5"]);
    let wanted: BTreeSet<&str> = [
        "schema",
        "name",
        "hardware",
        "verified",
        "sources",
        "eal",
        "eal_arguments",
        "driver",
        "rx_filter",
        "timestamps",
        "service",
        "note",
    ]
    .into();
    for (name, profile) in &profiles() {
        let keys: BTreeSet<&str> =
            profile.keys().map(String::as_str).filter(|&key| key != "command").collect();
        assert_eq!(keys, wanted, "{name}");
        assert_eq!(profile["name"].as_str(), Some(name.as_str()));
        assert!(["none", "virtual"].contains(&profile["verified"].as_str().unwrap()), "{name}");
        let cpus_and_line: Vec<&str> =
            profile["eal_arguments"].as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(cpus_and_line, ["cpus", "line"], "{name}");
    }
}

#[test]
fn the_eal_arguments_are_those_of_this_crate() {
    for (name, profile) in &profiles() {
        let eal = profile["eal"].as_table().unwrap();
        let megabytes = u32::try_from(eal["memory_mib"].as_integer().unwrap()).unwrap();
        let memory = match eal["memory"].as_str().unwrap() {
            "in_memory" => Memory::InMemory { megabytes: vec![megabytes] },
            // The profile shows the arguments of a host without huge pages.
            "auto" | "no_huge" => Memory::NoHuge { megabytes },
            other => panic!("{name}: {other}"),
        };
        let mut config = EalConfig::new(memory);
        for vdev in strings(eal, "vdev") {
            config = config.vdev(Vdev::parse(vdev).unwrap());
        }
        for pci in strings(eal, "pci") {
            config = config.allow_pci(pci);
        }
        let line = config.arguments(text(profile, "eal_arguments", "cpus")).join(" ");
        assert_eq!(line, text(profile, "eal_arguments", "line"), "{name}");
    }
}

/// The requests are made in this order until one is granted, so a profile tells the answers up to the first 0.
#[test]
fn the_filter_that_holds_is_the_first_that_is_granted() {
    let requests =
        [("set_mc_addr_list", "groups"), ("allmulticast", "allmulticast"), ("promiscuous", "promiscuous")];
    for (name, profile) in &profiles() {
        let answers = profile["rx_filter"].as_table().unwrap();
        let refused = requests.iter().take_while(|(call, _)| rc(answers, call) != Some(0)).count();
        let asked = &requests[..=refused];
        assert!(asked.iter().all(|(call, _)| rc(answers, call).is_some()), "{name}: {answers:?}");
        assert_eq!(answers.len(), asked.len() + 1, "{name}: an answer to a request that is not made");
        assert_eq!(answers["holds"].as_str(), asked.last().map(|(_, holds)| *holds), "{name}");
    }
}

fn rc(answers: &Table, call: &str) -> Option<i64> {
    answers.get(call).and_then(Value::as_integer)
}
