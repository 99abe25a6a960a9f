//! Each key of a rule decides about a packet that has it and about one that has not.

use super::*;
use crate::control::testing::{load, peers};
use policy::Query;
use wire::build::Packet;
use wire::tcp::Flags;

/// The number of the peer `p1`.
const P1: u32 = 40;
const P2: u32 = 41;

/// What a rule with these conditions, from the tunnel to the lan, makes of packets; what it does not match is denied.
struct Rule(Policy, config::Config);

fn rule(conditions: &str) -> Rule {
    rules(&format!(
        "[[policy]]\nname = \"x\"\nfrom = \"vpn\"\nto = \"lan\"\naction = \"allow\"\n{conditions}"
    ))
}

fn rules(text: &str) -> Rule {
    let sets = "[set.servers]\nprefixes = [\"10.20.0.0/16\", \"fd00:20::/48\"]\n";
    let config = load(&(peers(2) + sets + text)).config;
    let spec = |name: &str, id| PeerSpec { name: name.to_owned(), id };
    Rule(compile(&config, vec![spec("p1", P1), spec("p2", P2)]).unwrap(), config)
}

impl Rule {
    fn decides(&self, from: &str, to: &str, packet: &Packet, who: Option<u32>) -> Action {
        let parsed = packet.ip();
        let parsed = wire::parse_ip(&parsed, 0).unwrap();
        let zone = |name| zone_id(&self.1, name).unwrap();
        self.0.evaluate(&Query::new(zone(from), zone(to), &parsed, who)).action
    }

    fn allows(&self, packet: &Packet) -> bool {
        self.decides("vpn", "lan", packet, Some(P1)) == Action::Allow
    }
}

fn web() -> Packet {
    Packet::tcp("10.9.1.1:40000", "10.20.0.5:443", Flags::SYN)
}

#[test]
fn zones_are_numbered_in_the_order_of_the_file_after_the_gateway_itself() {
    let config = load("").config;
    let numbers = ["local", "wan", "lan", "vpn"].map(|name| zone_id(&config, name));
    assert_eq!(numbers, [Some(ZoneId::LOCAL), Some(ZoneId(1)), Some(ZoneId(2)), Some(ZoneId(3))]);
    assert_eq!(zone_id(&config, "dmz"), None);
    assert_eq!(zone_id(&config, "any"), None);
}

/// Whether a configuration that differs from a good one by `text` passes its checks.
fn passes(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let text = crate::control::testing::config_text(folder.path(), text);
    config::Config::parse(&text, folder.path()).is_ok()
}

#[test]
fn what_passes_the_checks_compiles_and_what_would_not_compile_does_not_pass() {
    let base = load("").config;
    for count in [200, 253, 254, 255, 256, 300] {
        let declared = base.zone.len();
        let names: Vec<String> = (declared..count).map(|number| format!("z{number}")).collect();
        let text: String =
            names.iter().map(|name| format!("[[zone]]\nname = \"{name}\"\n")).collect();
        let mut config = base.clone();
        let zone = |name: &String| config::Zone { name: name.parse().unwrap() };
        config.zone.extend(names.iter().map(zone));
        assert_eq!(config.zone.len(), count);
        assert_eq!(passes(&text), compile(&config, Vec::new()).is_ok(), "{count} zones");
        assert_eq!(passes(&text), count <= 254, "{count} zones");
    }
    let numbers = [0, 1, 6, 17, 58, 132, 255].map(config::Protocol::Number);
    let named = [config::Protocol::Any, config::Protocol::Tcp, config::Protocol::Icmpv6];
    for protocol in named.into_iter().chain(numbers) {
        for (condition, of) in
            [("destination_port", "tcp"), ("source_port", "udp"), ("icmp_type", "icmp")]
        {
            let mut config = rule(&format!("protocol = \"{of}\"\n{condition} = [8]")).1;
            config.policy[0].protocol = protocol;
            let number = protocol.number().map(|number| number.to_string());
            let written = number.unwrap_or_else(|| "\"any\"".to_owned());
            let text = format!(
                "[[policy]]\nname = \"x\"\nfrom = \"vpn\"\nto = \"lan\"\naction = \"allow\"\n\
                 protocol = {written}\n{condition} = [8]\n"
            );
            let compiles = compile(&config, Vec::new()).is_ok();
            // Ports of whatever protocol mean something to the policy. The file has to say which is meant.
            let is_said = protocol != config::Protocol::Any;
            assert_eq!(passes(&text), compiles && is_said, "{written}: {condition}");
        }
    }
}

#[test]
fn from_and_to_name_one_zone_each_and_any_names_all() {
    let one = rule("");
    assert_eq!(one.decides("vpn", "lan", &web(), None), Action::Allow);
    assert_eq!(one.decides("lan", "vpn", &web(), None), Action::Deny);
    assert_eq!(one.decides("vpn", "wan", &web(), None), Action::Deny);
    assert_eq!(one.decides("vpn", "local", &web(), None), Action::Deny);
    let any =
        rules("[[policy]]\nname = \"x\"\nfrom = \"any\"\nto = \"local\"\naction = \"allow\"\n");
    assert_eq!(any.decides("wan", "local", &web(), None), Action::Allow);
    assert_eq!(any.decides("wan", "lan", &web(), None), Action::Deny);
}

#[test]
fn source_and_destination_are_prefixes_or_sets_of_either_family() {
    let v6 = Packet::udp("[fd00:9::1]:40000", "[fd00:20::5]:53");
    for (conditions, v4_allowed, v6_allowed) in [
        ("source = [\"10.9.1.0/24\"]", true, false),
        ("source = [\"10.9.2.0/24\"]", false, false),
        ("source = [\"10.9.2.0/24\", \"fd00:9::/64\"]", false, true),
        ("destination = [\"@servers\"]", true, true),
        ("destination = [\"10.21.0.0/16\"]", false, false),
        ("source = [\"@servers\"]", false, false),
        ("source = [\"10.9.1.0/24\"]\ndestination = [\"10.21.0.0/16\"]", false, false),
    ] {
        let rule = rule(conditions);
        assert_eq!(
            (rule.allows(&web()), rule.allows(&v6)),
            (v4_allowed, v6_allowed),
            "{conditions}"
        );
    }
}

#[test]
fn protocol_ports_and_icmp_types_are_told_apart() {
    let dns = Packet::udp("10.9.1.1:40000", "10.20.0.5:53");
    let ping = Packet::ping("10.9.1.1", "10.20.0.5", 1, 1);
    let esp = Packet::raw("10.9.1.1", "10.20.0.5", 50).payload(&[0; 8]);
    for (conditions, allowed) in [
        ("", [true, true, true, true]),
        ("protocol = \"tcp\"", [true, false, false, false]),
        ("protocol = \"udp\"", [false, true, false, false]),
        ("protocol = \"icmp\"", [false, false, true, false]),
        ("protocol = 50", [false, false, false, true]),
        ("protocol = \"tcp\"\ndestination_port = [443]", [true, false, false, false]),
        ("protocol = \"tcp\"\ndestination_port = [80, \"8000-8100\"]", [false; 4]),
        ("protocol = \"tcp\"\nsource_port = [\"1024-65535\"]", [true, false, false, false]),
        ("protocol = \"udp\"\nsource_port = [\"1-1023\"]", [false; 4]),
        ("protocol = \"icmp\"\nicmp_type = [8]", [false, false, true, false]),
        ("protocol = \"icmp\"\nicmp_type = [0, 11]", [false; 4]),
    ] {
        let rule = rule(conditions);
        let told = [&web(), &dns, &ping, &esp].map(|packet| rule.allows(packet));
        assert_eq!(told, allowed, "{conditions}");
    }
}

#[test]
fn a_peer_is_known_by_its_session_and_not_by_its_address() {
    let rule = rule("peer = [\"p1\"]");
    assert_eq!(rule.decides("vpn", "lan", &web(), Some(P1)), Action::Allow);
    assert_eq!(rule.decides("vpn", "lan", &web(), Some(P2)), Action::Deny);
    assert_eq!(rule.decides("vpn", "lan", &web(), None), Action::Deny);
}

#[test]
fn the_first_rule_that_matches_decides_with_its_action() {
    let text = |name: &str, conditions: &str, action: &str| {
        format!(
            "[[policy]]\nname = \"{name}\"\nfrom = \"vpn\"\nto = \"lan\"\naction = \"{action}\"\n{conditions}\n"
        )
    };
    let reject = text("one", "protocol = \"tcp\"", "reject");
    let deny = text("two", "source = [\"10.9.2.0/24\"]", "deny");
    let allow = text("three", "", "allow");
    let rules = rules(&(reject + &deny + &allow));
    let from =
        |address: &str| rules.decides("vpn", "lan", &Packet::udp(address, "10.20.0.5:53"), None);
    assert_eq!(rules.decides("vpn", "lan", &web(), None), Action::Reject);
    assert_eq!(from("10.9.2.1:1"), Action::Deny);
    assert_eq!(from("10.9.3.1:1"), Action::Allow);
}

#[test]
fn a_rule_for_a_peer_that_is_not_there_does_not_compile() {
    let config = load(&(peers(1) + "[[policy]]\nname = \"x\"\nfrom = \"vpn\"\nto = \"lan\"\npeer = [\"p1\"]\naction = \"allow\"\n")).config;
    let error = compile(&config, Vec::new()).unwrap_err();
    assert!(format!("{error:#}").contains("p1"), "{error:#}");
}
