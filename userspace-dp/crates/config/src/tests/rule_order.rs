//! What is said of rules that decide otherwise than their place in the file suggests.

use super::{Scratch, rows, scratch};
use crate::Severity;
use std::fmt::Write;

const DENY_ALL: &str =
    "[[policy]]\nname = \"none\"\nfrom = \"vpn\"\nto = \"any\"\naction = \"deny\"\n";

/// The sample with `rules` in place of its own.
fn with_rules(scratch: &Scratch, rules: &str) -> String {
    let sample = scratch.sample();
    sample.split("[[policy]]").next().expect("the part before the rules").to_owned() + rules
}

/// Key and message of each warning about `rules`.
fn warnings(rules: &str) -> Vec<(String, String)> {
    let scratch = scratch();
    let loaded = scratch.load(&with_rules(&scratch, rules)).unwrap_or_else(|e| panic!("{e}"));
    let rows = rows(&loaded.warnings).into_iter();
    rows.map(|(severity, key, _, message)| {
        assert_eq!(severity, Severity::Warning);
        (key.to_owned(), message.to_owned())
    })
    .collect()
}

/// A rule from the tunnels to the lan.
fn rule(name: &str, action: &str, rest: &str) -> String {
    format!(
        "[[policy]]\nname = \"{name}\"\nfrom = \"vpn\"\nto = \"lan\"\naction = \"{action}\"\n{rest}\n"
    )
}

#[test]
fn a_rule_about_peers_that_allows_below_a_denial_is_said_to_be_tried_before_it() {
    let peer = "peer = [\"branch-1\"]";
    let cases = [
        // The denial, what the rule below it has beside its peer.
        (DENY_ALL.to_owned(), ""),
        (rule("none", "reject", ""), "destination = [\"10.20.1.0/24\"]"),
        (rule("none", "deny", "destination = [\"10.20.1.0/24\"]"), "destination = [\"@servers\"]"),
        (rule("none", "deny", "destination = [\"@servers\"]"), "destination = [\"10.0.0.0/8\"]"),
        (rule("none", "deny", "protocol = \"tcp\"\ndestination_port = [22]"), ""),
        (
            rule("none", "deny", "protocol = \"tcp\"\ndestination_port = [22]"),
            "protocol = \"tcp\"\ndestination_port = [\"20-30\"]",
        ),
    ];
    for (denial, rest) in cases {
        let found =
            warnings(&(denial.clone() + &rule("some", "allow", &format!("{peer}\n{rest}"))));
        let [(key, message)] = &found[..] else { panic!("{denial}{rest}: {found:?}") };
        assert_eq!(key, "policy[1].peer");
        assert!(message.starts_with("tried before policy[0], which denies"), "{message}");
    }
}

#[test]
fn nothing_is_said_where_the_order_of_rules_about_peers_makes_no_difference() {
    let allow = |rest: &str| rule("some", "allow", &format!("peer = [\"branch-1\"]\n{rest}"));
    let deny = |rest: &str| rule("none", "deny", rest);
    for rules in [
        // In the order in which they are tried.
        allow("") + &deny(""),
        // Both about peers: tried in the order of the file.
        deny("peer = [\"branch-1\"]\nprotocol = \"tcp\"") + &allow(""),
        // Other packets.
        deny("destination = [\"10.21.0.0/16\"]") + &allow("destination = [\"@servers\"]"),
        deny("source = [\"10.8.0.3/32\"]") + &allow("source = [\"10.8.0.2/32\"]"),
        deny("protocol = \"udp\"") + &allow("protocol = \"tcp\""),
        deny("protocol = \"tcp\"\nsource_port = [1]")
            + &allow("protocol = \"tcp\"\nsource_port = [2]"),
        deny("protocol = \"icmp\"\nicmp_type = [8]")
            + &allow("protocol = \"icmp\"\nicmp_type = [0]"),
        deny("").replace("to = \"lan\"", "to = \"local\"") + &allow(""),
        deny("").replace("from = \"vpn\"", "from = \"lan\"") + &allow(""),
        // A denial that comes sooner than it seems lets nothing through.
        rule("all", "allow", "protocol = \"tcp\"") + &deny("peer = [\"branch-1\"]"),
    ] {
        assert_eq!(warnings(&rules), [], "{rules}");
    }
}

#[test]
fn a_rule_hides_only_rules_that_are_tried_after_it() {
    let all = rule("all", "allow", "");
    let of_peer = rule("peer", "allow", "peer = [\"branch-1\"]\nprotocol = \"udp\"");
    let again = of_peer.replace("\"peer\"", "\"again\"");
    assert_eq!(warnings(&(all.clone() + &of_peer)), [], "the second decides about its packets");
    let hidden = |key: &str, by: usize| {
        (key.to_owned(), format!("never reached: policy[{by}] matches the same packets first"))
    };
    assert_eq!(warnings(&(all + &of_peer + &again)), [hidden("policy[2].name", 1)]);
}

#[test]
fn the_first_of_several_rules_that_hide_another_is_named() {
    let wide = rule("wide", "allow", "destination = [\"@servers\", \"10.1.0.0/16\"]");
    let wider = DENY_ALL.replace("from = \"vpn\"", "from = \"any\"").replace("none", "wider");
    let rest = "destination = [\"10.1.0.0/16\", \"@servers\"]\nprotocol = \"tcp\"";
    let narrow = rule("narrow", "allow", rest);
    for (rules, shadow) in [
        (wide.clone() + &wider + &narrow, 0),
        (wide.clone() + &narrow + &wider, 0),
        (narrow.replace("@servers", "10.2.0.0/16").replace("narrow", "other") + &wide + &narrow, 1),
    ] {
        let found = warnings(&rules);
        let [(_, message)] = &found[..] else { panic!("{rules}: {found:?}") };
        assert!(message.contains(&format!("policy[{shadow}]")), "{rules}: {message}");
    }
}

/// So many rules that no two of them match the same packets.
fn many(count: u32, conditions: impl Fn(u32) -> String) -> String {
    (0..count).fold(String::new(), |mut rules, number| {
        let _ = write!(rules, "{}", rule(&format!("r{number}"), "deny", &conditions(number)));
        rules
    })
}

#[test]
fn many_rules_that_differ_are_all_compared() {
    let address = |number: u32| format!("10.20.{}.{}/32", number >> 8, number & 255);
    let rules = many(8000, |number| format!("destination = [\"{}\"]", address(number)));
    let last = rule("last", "allow", &format!("destination = [\"{}\"]", address(7999)));
    let found = warnings(&(rules + &last));
    let [(key, message)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(key, "policy[8000].name");
    assert!(message.contains("policy[7999]"), "{message}");
}

#[test]
fn where_too_many_rules_are_alike_comparing_ends_and_that_is_said() {
    let alike = |number| {
        format!("protocol = \"tcp\"\ndestination = [\"@servers\"]\nsource_port = [{number}]")
    };
    let found = warnings(&many(4000, alike));
    let [(key, message)] = &found[..] else { panic!("{found:?}") };
    assert!(key.starts_with("policy["), "{key}");
    assert!(message.starts_with("from here on it is not looked for rules"), "{message}");

    let denials = many(2000, |port| format!("protocol = \"tcp\"\nsource_port = [{port}]"));
    let allowed = many(2000, |port| {
        format!("peer = [\"branch-1\"]\nprotocol = \"tcp\"\nsource_port = [{}]", port + 2000)
    });
    let allowed = allowed.replace("\"deny\"", "\"allow\"").replace("name = \"r", "name = \"p");
    let found = warnings(&(denials + &allowed));
    let of_denials: Vec<_> = found.iter().filter(|(key, _)| key.ends_with(".peer")).collect();
    let [(_, message)] = &of_denials[..] else { panic!("{found:?}") };
    assert!(message.starts_with("from here on it is not looked for denials"), "{message}");
}
