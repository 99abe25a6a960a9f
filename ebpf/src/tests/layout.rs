//! The lists that exist in C and in Rust are the same.
use crate::layout::{
    BLOCKS_IPV4, BLOCKS_IPV6, PORT_UNTAGGED, TAG_PRESENT, TAG_SERVICE, TRANSIT_DROP, TRANSIT_PASS,
};
use crate::{Action, Exit};

const EXITS: &str = include_str!("../xdp/exits.h");
const README: &str = include_str!("../../README.md");
const LAYOUT: &str = include_str!("../xdp/layout.h");

#[test]
fn both_sides_list_the_same_exits_in_the_same_order() {
    let listed: Vec<(&str, &str)> = EXITS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("EXIT(")?.split_once(", "))
        .map(|(name, rest)| (name, rest.split(')').next().unwrap_or_default()))
        .collect();
    let action = |action| match action {
        Action::Pass => "XDP_PASS",
        Action::Drop => "XDP_DROP",
        Action::Redirect => "XDP_REDIRECT",
    };
    let here: Vec<(&str, &str)> =
        Exit::ALL.iter().map(|exit| (exit.name(), action(exit.action()))).collect();
    assert_eq!(listed, here);
}

#[test]
fn the_description_lists_every_exit_with_its_action() {
    for exit in Exit::ALL {
        let action = match exit.action() {
            Action::Pass => "pass",
            Action::Drop => "drop",
            Action::Redirect => "redirect",
        };
        let row = format!("| `{}` | {action} | ", exit.name());
        assert!(README.contains(&row), "README.md has no row {row}");
    }
}

#[test]
fn an_exit_s_number_is_its_place_in_the_list() {
    for (index, exit) in Exit::ALL.into_iter().enumerate() {
        assert_eq!(exit as usize, index);
    }
}

#[test]
fn both_sides_mean_the_same_by_each_flag() {
    for (name, value) in [
        ("TRANSIT_DROP", TRANSIT_DROP),
        ("TRANSIT_PASS", TRANSIT_PASS),
        ("BLOCKS_IPV4", BLOCKS_IPV4),
        ("BLOCKS_IPV6", BLOCKS_IPV6),
        ("PORT_UNTAGGED", PORT_UNTAGGED),
        ("TAG_PRESENT", u32::from(TAG_PRESENT)),
        ("TAG_SERVICE", u32::from(TAG_SERVICE)),
    ] {
        let text = LAYOUT
            .lines()
            .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' '))
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("{name} is not in layout.h"));
        let theirs = text.strip_prefix("0x").map_or_else(
            || text.parse().expect("decimal"),
            |hex| u32::from_str_radix(hex, 16).expect("hexadecimal"),
        );
        assert_eq!(theirs, value, "{name}");
    }
}
