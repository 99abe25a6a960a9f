//! Each kind of mistake in the sample, and exactly what is said of it: key, value, message, allowed.

use super::{rows, scratch};
use crate::Severity;

/// A change of the sample, and the only diagnostic it may cause.
struct Case {
    from: &'static str,
    to: &'static str,
    key: &'static str,
    value: &'static str,
    message: &'static str,
    allowed: &'static str,
}

fn check(severity: Severity, cases: &[Case]) {
    let scratch = scratch();
    for case in cases {
        let diagnostics = scratch.told(case.from, case.to);
        let expected = [(severity, case.key, case.value, case.message)];
        assert_eq!(rows(&diagnostics), expected, "{}", case.to);
        let allowed = diagnostics[0].allowed.as_deref().unwrap_or_default();
        assert!(allowed.contains(case.allowed), "{}: allowed is `{allowed}`", case.to);
        let place = diagnostics[0].place.as_ref().expect("a place");
        assert!(place.file.ends_with("ringwall.toml") && place.line > 0 && place.column > 0);
    }
}

#[test]
fn the_sample_is_good() {
    let scratch = scratch();
    let loaded = scratch.load(&scratch.sample()).unwrap_or_else(|rejected| panic!("{rejected:#?}"));
    assert_eq!(rows(&loaded.warnings), []);
    assert_eq!(loaded.config.policy.len(), 2);
    let wireguard = loaded.config.wireguard.unwrap();
    assert_eq!(wireguard.private_key.unwrap().bytes()[0], 1);
    assert_eq!(wireguard.listen_port, 51820);
}

#[rustfmt::skip]
#[test]
fn unknown_keys_and_values_name_the_nearest_known_one() {
    check(Severity::Error, &[
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nqueus = 2", key: "interface[0].queus", value: "queus",
            message: "unknown key", allowed: "did you mean `queues`? known keys: name, zone, mode" },
        Case { from: "[wireguard]", to: "[gatway]\n[wireguard]", key: "gatway", value: "gatway",
            message: "unknown key", allowed: "did you mean `gateway`?" },
        Case { from: "[wireguard]", to: "[ipip]\n[wireguard]", key: "ipip", value: "ipip",
            message: "unknown key", allowed: "known keys: version, gateway, interface" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nmode = \"natve\"", key: "interface[0].mode", value: "\"natve\"",
            message: "unknown value", allowed: "did you mean `native`? allowed: auto, native, generic" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nqueues = 0", key: "interface[0].queues", value: "0",
            message: "invalid value: integer `0`", allowed: "\"auto\" or a whole number from 1" },
        Case { from: "[wireguard]", to: "[wireguard]\naead = \"avx512\"", key: "wireguard.aead", value: "\"avx512\"",
            message: "unknown value", allowed: "allowed: auto, ring" },
        Case { from: "[wireguard]", to: "[wireguard]\nlisten_port = 70000", key: "wireguard.listen_port", value: "70000",
            message: "invalid value: integer `70000`", allowed: "a whole number from 0 to 65535" },
        Case { from: "[wireguard]", to: "[gateway]\nheartbeat_timeout = 1\n[wireguard]", key: "gateway.heartbeat_timeout", value: "1",
            message: "invalid type: integer `1`", allowed: "a duration such as \"500ms\"" },
        Case { from: "[wireguard]", to: "[gateway]\nheartbeat_timeout = \"1\"\n[wireguard]", key: "gateway.heartbeat_timeout", value: "\"1\"",
            message: "no unit", allowed: "a number and one of ns, us, ms" },
    ]);
}

#[rustfmt::skip]
#[test]
fn missing_keys_are_named() {
    check(Severity::Error, &[
        Case { from: "version = 1", to: "", key: "version", value: "", message: "missing", allowed: "must be set" },
        Case { from: "zone = \"lan\"", to: "", key: "interface[0].zone", value: "", message: "missing", allowed: "must be set" },
        Case { from: "private_key_file = \"private.key\"", to: "", key: "wireguard.private_key_file", value: "", message: "missing", allowed: "must be set" },
        Case { from: "action = \"allow\"", to: "", key: "policy[0].action", value: "", message: "missing", allowed: "must be set" },
        Case { from: "version = 1", to: "version = 2", key: "version", value: "2", message: "unknown version of the file format", allowed: "1" },
    ]);
}

#[rustfmt::skip]
#[test]
fn bad_addresses_say_what_would_be_right() {
    check(Severity::Error, &[
        Case { from: "10.7.0.0/16", to: "10.7.0.1/16", key: "wireguard.peer[0].allowed_ips[1]", value: "\"10.7.0.1/16\"",
            message: "host bits are set", allowed: "the network \"10.7.0.0/16\"" },
        Case { from: "10.8.0.1/24", to: "10.8.0.1", key: "wireguard.addresses[0]", value: "\"10.8.0.1\"",
            message: "no prefix length", allowed: "\"10.8.0.1/32\" for one address" },
        Case { from: "10.20.0.0/16", to: "10.20.0.0/36", key: "set.servers.prefixes[0]", value: "\"10.20.0.0/36\"",
            message: "not an address with a prefix length", allowed: "a network such as" },
        Case { from: "branch-1.example.net:51820", to: "branch_1.example.net:51820", key: "wireguard.peer[0].endpoint",
            value: "\"branch_1.example.net:51820\"", message: "`branch_1.example.net` is not a host name", allowed: "a host name" },
        Case { from: "10.8.0.2/32", to: "10.8.0.1/32", key: "wireguard.peer[0].allowed_ips[0]", value: "\"10.8.0.1/32\"",
            message: "the gateway's own address", allowed: "an address of the peer" },
        Case { from: "10.8.0.2/32", to: "10.7.0.0/16", key: "wireguard.peer[0].allowed_ips[1]", value: "\"10.7.0.0/16\"",
            message: "a network is used twice: first by wireguard.peer[0].allowed_ips[0]", allowed: "one use" },
    ]);
}

const SECOND_PEER: &str = "[[zone]]\nname = \"lan\"";

#[rustfmt::skip]
#[test]
fn two_peers_share_nothing() {
    check(Severity::Error, &[
        Case { from: SECOND_PEER, to: "[[wireguard.peer]]\nname = \"b\"\npublic_key = \"AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nallowed_ips = [\"10.7.0.0/16\"]\n[[zone]]\nname = \"lan\"",
            key: "wireguard.peer[1].allowed_ips[0]", value: "\"10.7.0.0/16\"",
            message: "a network is used twice: first by wireguard.peer[0].allowed_ips[1]", allowed: "one use" },
        Case { from: SECOND_PEER, to: "[[wireguard.peer]]\nname = \"branch-1\"\npublic_key = \"AwIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nallowed_ips = [\"10.9.0.0/16\"]\n[[zone]]\nname = \"lan\"",
            key: "wireguard.peer[1].name", value: "\"branch-1\"",
            message: "a name is used twice: first by wireguard.peer[0].name", allowed: "one use" },
        Case { from: SECOND_PEER, to: "[[wireguard.peer]]\nname = \"b\"\npublic_key = \"AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nallowed_ips = [\"10.9.0.0/16\"]\n[[zone]]\nname = \"lan\"",
            key: "wireguard.peer[1].public_key", value: "\"AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"",
            message: "a key is used twice: first by wireguard.peer[0].public_key", allowed: "one use" },
        // The public half of the sample's private key, computed with another implementation.
        Case { from: "AgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", to: "B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=",
            key: "wireguard.peer[0].public_key", value: "\"B6N8vBQgk8i3VdwbEOhstCY3StFqqFPtC9/AsrhtHHw=\"",
            message: "the gateway's own key", allowed: "the public key of the other end" },
    ]);
}

#[rustfmt::skip]
#[test]
fn impossible_combinations_are_refused() {
    check(Severity::Error, &[
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nmode = \"generic\"\nzero_copy = \"on\"", key: "interface[0].zero_copy",
            value: "\"on\"", message: "impossible with `mode = \"generic\"`", allowed: "\"auto\" or \"off\"" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nrx_ring = 1000", key: "interface[0].rx_ring", value: "1000",
            message: "not a ring size", allowed: "a power of two from 64 to 65536, such as 1024" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nrx_ring = 8192", key: "interface[0].fill_ring", value: "",
            message: "smaller than the receive ring", allowed: "at least the receive ring's 8192" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\nmtu = 9000", key: "interface[0].mtu", value: "9000",
            message: "does not fit a frame", allowed: "at most 3786 with frames of 4KiB" },
        Case { from: "[wireguard]", to: "[gateway]\nframe_size = \"3KiB\"\n[wireguard]", key: "gateway.frame_size", value: "\"3KiB\"",
            message: "not a frame size", allowed: "\"2KiB\" or \"4KiB\"" },
        Case { from: "[wireguard]", to: "[gateway]\nframes_per_worker = 100\n[wireguard]", key: "gateway.frames_per_worker", value: "100",
            message: "fewer frames than the fill rings hold", allowed: "at least 4096" },
        Case { from: "[wireguard]", to: "[gateway]\nworkers = 3\ncpus = [1, 2]\n[wireguard]", key: "gateway.cpus", value: "[1, 2]",
            message: "fewer CPUs than workers", allowed: "workers (3)" },
        Case { from: "[wireguard]", to: "[wireguard]\nlisten_port = 0", key: "wireguard.listen_port", value: "0",
            message: "port 0", allowed: "a port from 1 to 65535" },
        Case { from: "[wireguard]", to: "[wireguard]\ninterface = \"eth0\"", key: "wireguard.interface", value: "\"eth0\"",
            message: "also an [[interface]]", allowed: "a name of its own" },
        Case { from: "25s", to: "1500ms", key: "wireguard.peer[0].persistent_keepalive", value: "\"1500ms\"",
            message: "not a keepalive interval", allowed: "whole seconds from 1s to 65535s" },
        Case { from: "[wireguard]", to: "[telemetry]\nlisten = \"0.0.0.0:9586\"\n[wireguard]", key: "telemetry.listen", value: "\"0.0.0.0:9586\"",
            message: "other machines could read the metrics", allowed: "`allow_remote = true`" },
        Case { from: "[wireguard]", to: "[telemetry]\ncontrol_socket = \"ringwall.sock\"\n[wireguard]", key: "telemetry.control_socket",
            value: "\"ringwall.sock\"", message: "not an absolute path", allowed: "a path such as" },
        Case { from: "[wireguard]", to: "[limits]\npeers = 2000000\n[wireguard]", key: "limits.peers", value: "2000000",
            message: "out of range", allowed: "a whole number from 1 to" },
        Case { from: "[wireguard]", to: "[limits]\nreply_rate = \"10pps\"\n[wireguard]", key: "limits.reply_rate_per_source", value: "",
            message: "more than a whole zone gets", allowed: "at most `reply_rate`, 10pps" },
        Case { from: "[wireguard]", to: "[limits]\npolicy_rules = 1\n[wireguard]", key: "policy", value: "",
            message: "2 of them", allowed: "at most `limits.policy_rules`, 1" },
    ]);
}

#[rustfmt::skip]
#[test]
fn what_could_never_work_is_refused() {
    let nobodys = |network: &str| format!("no host behind a peer has addresses of {network}");
    for (from, to, key, value, message) in [
        ("[wireguard]", "[wireguard]\ninterface = \"lo\"", "wireguard.interface", "\"lo\"", "the kernel's own device".to_owned()),
        ("[wireguard]", "[wireguard]\ninterface = \"wg%d\"", "wireguard.interface", "\"wg%d\"", "not an interface name".to_owned()),
        ("branch-1.example.net:51820", "224.0.0.1:51820", "wireguard.peer[0].endpoint", "\"224.0.0.1:51820\"", "`224.0.0.1` is no host's address".to_owned()),
        ("10.8.0.1/24", "127.0.0.1/8", "wireguard.addresses[0]", "\"127.0.0.1/8\"", "not an address an interface can have".to_owned()),
        ("10.8.0.1/24", "10.8.0.255/24", "wireguard.addresses[0]", "\"10.8.0.255/24\"", "the broadcast address of the network".to_owned()),
        ("10.7.0.0/16", "127.0.0.0/8", "wireguard.peer[0].allowed_ips[1]", "\"127.0.0.0/8\"", nobodys("127.0.0.0/8")),
        ("10.7.0.0/16", "239.1.0.0/16", "wireguard.peer[0].allowed_ips[1]", "\"239.1.0.0/16\"", nobodys("224.0.0.0/4")),
        ("10.7.0.0/16", "::ffff:10.7.0.0/112", "wireguard.peer[0].allowed_ips[1]", "\"::ffff:10.7.0.0/112\"", nobodys("::ffff:0.0.0.0/96")),
        ("[wireguard]", "[gateway]\nframes_per_worker = 2097153\n[wireguard]", "gateway.frames_per_worker", "2097153", "out of range".to_owned()),
    ] {
        let diagnostics = scratch().told(from, to);
        assert_eq!(rows(&diagnostics), [(Severity::Error, key, value, &*message)], "{to}");
        assert!(diagnostics[0].allowed.is_some(), "{to}");
    }
    for good in ["0.0.0.0/0", "::/0", "192.0.0.0/2", "::/1"] {
        let told = scratch().told("10.7.0.0/16", good);
        assert!(told.iter().all(|one| one.severity == Severity::Warning), "{good}: {told:?}");
    }
    let most = "[gateway]\nframes_per_worker = 2097152\n[wireguard]";
    assert_eq!(rows(&scratch().told("[wireguard]", most)), []);
}

#[rustfmt::skip]
#[test]
fn references_to_nothing_name_what_there_is() {
    check(Severity::Error, &[
        Case { from: "zone = \"lan\"", to: "zone = \"lam\"", key: "interface[0].zone", value: "\"lam\"",
            message: "unknown zone", allowed: "did you mean `lan`? known zones: lan, vpn" },
        Case { from: "zone = \"lan\"", to: "zone = \"local\"", key: "interface[0].zone", value: "\"local\"",
            message: "a reserved zone", allowed: "declared in [[zone]]" },
        Case { from: "to = \"lan\"", to: "to = \"wan\"", key: "policy[0].to", value: "\"wan\"",
            message: "unknown zone", allowed: "known zones: lan, vpn, local, any" },
        Case { from: "@servers", to: "@server", key: "policy[0].destination[0]", value: "\"@server\"",
            message: "unknown set", allowed: "did you mean `servers`? known sets: servers" },
        Case { from: "peer = [\"branch-1\"]", to: "peer = [\"branch-2\"]", key: "policy[0].peer[0]", value: "\"branch-2\"",
            message: "unknown peer", allowed: "did you mean `branch-1`? known peers: branch-1" },
        Case { from: "name = \"vpn\"", to: "name = \"vpn\"\n[[zone]]\nname = \"any\"", key: "zone[2].name", value: "\"any\"",
            message: "a reserved name", allowed: "`any` stands for every zone" },
        Case { from: "name = \"vpn\"", to: "name = \"vpn\"\n[[zone]]\nname = \"lan\"", key: "zone[2].name", value: "\"lan\"",
            message: "a zone is used twice: first by zone[0].name", allowed: "one use" },
    ]);
}

#[rustfmt::skip]
#[test]
fn rules_that_cannot_mean_what_they_say_are_refused() {
    check(Severity::Error, &[
        Case { from: "protocol = \"tcp\"", to: "", key: "policy[0].destination_port", value: "[443, \"8000-8100\"]",
            message: "protocol `any` has no ports to match", allowed: "`protocol = \"tcp\"`" },
        Case { from: "protocol = \"icmp\"", to: "protocol = \"udp\"", key: "policy[1].icmp_type", value: "[8]",
            message: "protocol `udp` has no ICMP type to match", allowed: "`protocol = \"icmp\"`" },
        Case { from: "[\"@servers\"]", to: "[]", key: "policy[0].destination", value: "[]",
            message: "an empty list", allowed: "leave the key out to match everything" },
        Case { from: "8000-8100", to: "8100-8000", key: "policy[0].destination_port[1]", value: "\"8100-8000\"",
            message: "the range runs backwards", allowed: "\"8000-8100\"" },
        Case { from: "name = \"ping\"", to: "name = \"web\"", key: "policy[1].name", value: "\"web\"",
            message: "a name is used twice: first by policy[0].name", allowed: "one use" },
    ]);
}

#[rustfmt::skip]
#[test]
fn what_does_nothing_is_a_warning() {
    check(Severity::Warning, &[
        Case { from: "name = \"vpn\"", to: "name = \"vpn\"\n[[zone]]\nname = \"dmz\"", key: "zone[2].name", value: "\"dmz\"",
            message: "a zone without members: no interface and no tunnel is in it", allowed: "the zone of an interface" },
        Case { from: "[[policy]]\nname = \"ping\"", to: "[[policy]]\nname = \"all\"\nfrom = \"any\"\nto = \"any\"\naction = \"deny\"\n[[policy]]\nname = \"ping\"",
            key: "policy[2].name", value: "\"ping\"",
            message: "never reached: policy[1] matches the same packets first", allowed: "a rule of its own" },
        Case { from: "from = \"vpn\"", to: "from = \"lan\"", key: "policy[0].from", value: "\"lan\"",
            message: "never matches: packets of peers come from the zone of the tunnels", allowed: "\"vpn\" or \"any\"" },
        Case { from: "from = \"any\"\nto = \"local\"", to: "from = \"lan\"\nto = \"local\"", key: "policy[1].to", value: "\"local\"",
            message: "no effect: what is for the gateway itself and comes out of no tunnel goes to its own kernel",
            allowed: "\"vpn\" or \"any\", for traffic out of tunnels; rules of the host's firewall" },
        Case { from: "[\"10.8.0.2/32\", \"10.7.0.0/16\"]", to: "[]", key: "wireguard.peer[0].allowed_ips", value: "[]",
            message: "no network: the peer can send and receive nothing", allowed: "the networks behind the peer" },
        Case { from: "10.7.0.0/16", to: "0.0.0.0/0", key: "wireguard.peer[0].allowed_ips[1]", value: "\"0.0.0.0/0\"",
            message: "not made a route: the machine's default route stays", allowed: "`ip route add 0.0.0.0/0 dev ringwall0`" },
        Case { from: "10.7.0.0/16", to: "::/0", key: "wireguard.peer[0].allowed_ips[1]", value: "\"::/0\"",
            message: "not made a route: the machine's default route stays", allowed: "`routes = \"off\"`" },
        Case { from: "branch-1.example.net:51820", to: "10.7.3.4:51820", key: "wireguard.peer[0].allowed_ips[1]", value: "\"10.7.0.0/16\"",
            message: "not made a route: it holds 10.7.3.4, the endpoint of \"branch-1\"", allowed: "a more specific route to every endpoint" },
        Case { from: "zone = \"lan\"", to: "zone = \"lan\"\ncompletion_ring = 1024", key: "interface[0].completion_ring", value: "1024",
            message: "smaller than the transmit ring: it holds transmission back", allowed: "2048" },
    ]);
}

#[test]
fn a_rule_for_the_gateway_itself_is_reported_where_no_tunnel_is() {
    let scratch = scratch();
    for (from, reported) in [("vpn", 0), ("any", 0), ("local", 0), ("lan", 1)] {
        let to = format!("from = \"{from}\"\nto = \"local\"");
        let told = scratch.told("from = \"any\"\nto = \"local\"", &to);
        assert_eq!(told.len(), reported, "{from}: {told:?}");
    }
    // Without tunnels no zone is left from which the gateway itself would be asked for.
    let rule = "[[policy]]\nname = \"ping\"\nfrom = \"any\"\nto = \"local\"\naction = \"allow\"\n";
    let text = format!(
        "version = 1\n[[interface]]\nname = \"eth0\"\nzone = \"lan\"\n[[zone]]\nname = \"lan\"\n{rule}"
    );
    let loaded = scratch.load(&text).unwrap_or_else(|rejected| panic!("{rejected:#?}"));
    let keys: Vec<&str> = loaded.warnings.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["policy[0].to"]);
}

#[test]
fn a_rule_that_an_earlier_one_only_partly_covers_is_no_warning() {
    let scratch = scratch();
    let narrower = "[[policy]]\nname = \"less\"\nfrom = \"any\"\nto = \"local\"\nprotocol = \"icmp\"\nicmp_type = [0]\naction = \"deny\"\n[[policy]]\nname = \"ping\"";
    assert_eq!(rows(&scratch.told("[[policy]]\nname = \"ping\"", narrower)), []);
}

#[test]
fn one_run_tells_every_problem_in_the_order_of_the_file_with_the_indices_of_the_file() {
    let scratch = scratch();
    let text = scratch
        .sample()
        .replace("[\"10.8.0.2/32\", \"10.7.0.0/16\"]", "[\"nonsense\", \"10.8.0.1/32\"]")
        .replace("zone = \"lan\"", "zone = \"lan\"\nqueus = 2\nrx_ring = 100")
        .replace("protocol = \"icmp\"", "protocol = \"udp\"")
        .replace("name = \"web\"\n", "")
        .replace("to = \"lan\"", "to = \"lan\"\nsource_port = \"yes\"");
    let rejected = scratch.load(&text).unwrap_err();
    let keys: Vec<&str> = rejected.diagnostics.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "interface[0].queus",
            "interface[0].rx_ring",
            "wireguard.peer[0].allowed_ips[0]",
            "wireguard.peer[0].allowed_ips[1]",
            "policy[0].name",
            "policy[0].source_port",
            "policy[1].icmp_type",
        ]
    );
}

/// What was left out of the model before must not shift what is told of the entries after it.
#[test]
fn many_bad_entries_each_have_the_index_of_the_file() {
    let scratch = scratch();
    let rule = "[[policy]]\nname = \"NAME\"\nfrom = \"vpn\"\nto = \"lan\"\n";
    let rules = |bad: &str, names: &[&str]| -> String {
        names.iter().map(|name| rule.replace("NAME", name) + bad).collect()
    };
    for bad in
        ["action = \"alow\"\n", "", "action = \"alow\"\nsource = [\"x\", \"10.0.0.0/8\", \"y\"]\n"]
    {
        let text = scratch.sample() + &rules(bad, &["one", "two", "three"]);
        let rejected = scratch.load(&text).unwrap_err();
        let keys: Vec<&str> = rejected.diagnostics.iter().map(|one| one.key.as_str()).collect();
        let expected: Vec<String> = (2..5)
            .flat_map(|index| {
                let source = bad.contains("source").then_some(["source[0]", "source[2]"]);
                let fields = std::iter::once("action").chain(source.into_iter().flatten());
                fields.map(move |field| format!("policy[{index}].{field}"))
            })
            .collect();
        assert_eq!(keys, expected, "{bad}");
    }
}

/// One run is enough: what else is wrong with an entry does not wait until its first mistake is mended.
#[test]
fn entries_with_a_mistake_are_checked_for_every_other_one() {
    let scratch = scratch();
    let more = r#"
[[interface]]
zone = "lam"
rx_ring = 100

[[policy]]
name = "web"
from = "vpnx"
to = "lan"
source = ["@nobody"]
peer = ["branch-9"]
protocol = "tpc"
destination_port = [443]
action = "alow"

[[wireguard.peer]]
public_key = "short"
allowed_ips = ["10.8.0.1/32", "10.7.0.0/16"]
"#;
    let text = scratch
        .sample()
        .replace("[wireguard]", "[wireguard]\nlisten_port = 0")
        .replace("private_key_file = \"private.key\"", "")
        + more;
    let told = scratch.load(&text).unwrap_err().diagnostics;
    let keys: Vec<&str> = told.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "wireguard.private_key_file",
            "wireguard.listen_port",
            "interface[1].name",
            "interface[1].zone",
            "interface[1].rx_ring",
            "policy[2].name",
            "policy[2].from",
            "policy[2].source[0]",
            "policy[2].peer[0]",
            "policy[2].protocol",
            "policy[2].action",
            "wireguard.peer[1].name",
            "wireguard.peer[1].public_key",
            "wireguard.peer[1].allowed_ips[0]",
            "wireguard.peer[1].allowed_ips[1]",
        ],
        "{told:#?}"
    );
}

#[test]
fn of_what_stands_in_for_a_missing_key_nothing_is_told() {
    let scratch = scratch();
    let twice = |header: &str| format!("{header}\n{header}\n");
    let text = "version = 1\n[wireguard]\ninterface = \"eth0\"\n[set.one]\n[set.two]\n".to_owned()
        + &["[[interface]]", "[[wireguard.peer]]", "[[zone]]", "[[policy]]"].map(twice).concat();
    let mut told = scratch.load(&text).unwrap_err().diagnostics;
    // Peers without networks are not made by what stands in.
    told.retain(|one| one.severity == Severity::Error);
    assert!(told.iter().all(|one| one.message == "missing"), "{told:#?}");
    assert_eq!(told.len(), 2 + 2 + 2 * (2 + 2 + 1 + 4), "{told:#?}");
}

#[test]
fn a_broken_item_is_not_a_second_mistake_where_it_is_named() {
    let scratch = scratch();
    let diagnostics = scratch.told("AgIDBAUGBwgJ", "short");
    let keys: Vec<&str> = diagnostics.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["wireguard.peer[0].public_key"], "not also policy[0].peer[0]");
}

#[test]
fn single_brackets_where_double_ones_belong_are_told_once_each() {
    let scratch = scratch();
    let headers = |text: &str, header: &str| {
        let is_header = |(_, line): &(usize, &str)| *line == header;
        text.lines().enumerate().filter(is_header).map(|(at, _)| at + 1).collect::<Vec<usize>>()
    };
    for name in ["interface", "zone", "policy", "wireguard.peer"] {
        let header = format!("[{name}]");
        let all = scratch.sample().replace(&format!("[[{name}]]"), &header);
        let second = format!("{}\n{header}\nname = \"another\"\n", scratch.sample());
        for text in [all, second] {
            let told = scratch.load(&text).unwrap_err().diagnostics;
            let lines: Vec<usize> =
                told.iter().filter_map(|one| Some(one.place.as_ref()?.line)).collect();
            assert_eq!(lines, headers(&text, &header), "{told:#?}");
            let hint = format!("did you mean `[[{name}]]`?");
            assert!(told.iter().all(|one| one.allowed.as_deref() == Some(&hint)), "{told:#?}");
        }
    }
    // Other keys that stand there twice stay what they are, and so does text in the clothes of a header.
    let twice = scratch.told("zone = \"lan\"", "zone = \"lan\"\nzone = \"lan\"");
    assert_eq!(twice[0].message, "duplicate key");
    let text = scratch.told("name = \"web\"", "name = \"\"\"\n[zone]\n\"\"\"");
    assert!(text.iter().all(|one| !one.message.contains("brackets")), "{text:#?}");
}

#[test]
fn bad_syntax_is_told_with_its_place_and_nothing_else_is_guessed() {
    let scratch = scratch();
    let diagnostics = scratch.told("zone = \"lan\"", "zone = lan");
    assert!(diagnostics.iter().all(|one| one.severity == Severity::Error));
    let place = diagnostics[0].place.as_ref().unwrap();
    assert_eq!((place.line, place.column), (5, 8));
    assert_eq!(place.excerpt, "zone = lan");
}
