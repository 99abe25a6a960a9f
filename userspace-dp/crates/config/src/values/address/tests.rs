//! Addresses as operators write them, right and wrong.

use super::*;

#[test]
fn a_network_with_host_bits_suggests_the_network() {
    let error = "10.8.0.5/24".parse::<Prefix>().unwrap_err();
    assert_eq!(error.why, "host bits are set");
    assert_eq!(error.allowed, "the network \"10.8.0.0/24\"");
    let error = "fd00::1/64".parse::<Prefix>().unwrap_err();
    assert_eq!(error.allowed, "the network \"fd00::/64\"");
}

#[test]
fn an_address_without_a_prefix_length_suggests_one() {
    assert_eq!(
        "10.0.0.1".parse::<Prefix>().unwrap_err().allowed,
        "\"10.0.0.1/32\" for one address"
    );
    let error = "fd00::1".parse::<InterfaceAddress>().unwrap_err();
    assert_eq!(error.allowed, "\"fd00::1/128\" for one address");
}

#[test]
fn networks_and_interface_addresses_keep_what_was_written() {
    for text in ["0.0.0.0/0", "::/0", "10.0.0.1/32", "fd00:8::/64"] {
        assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
    }
    let address: InterfaceAddress = "10.8.0.1/24".parse().unwrap();
    assert_eq!(address.to_string(), "10.8.0.1/24");
    assert_eq!(address.address().to_string(), "10.8.0.1");
}

#[test]
fn what_is_no_network_is_refused() {
    for bad in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "fd00::/129",
        "10.0.0.0/ 8",
        "a/8",
        "010.0.0.0/8",
        "10.0.0.0/+8",
    ] {
        assert!(bad.parse::<Prefix>().is_err(), "{bad:?}");
    }
}

#[test]
fn an_interface_has_addresses_that_a_host_can_have_in_its_network() {
    for good in [
        "10.8.0.1/24",
        "10.8.0.0/31",
        "10.8.0.1/31",
        "10.8.0.0/32",
        "10.8.0.255/32",
        "10.8.0.255/16",
        "fd00:8::/64",
        "fd00:8::1/128",
    ] {
        assert_eq!(good.parse::<InterfaceAddress>().unwrap().to_string(), good);
    }
    for bad in [
        "0.0.0.0/24",
        "224.0.0.1/4",
        "255.255.255.255/32",
        "127.0.0.1/8",
        "ff02::1/16",
        "::/64",
        "::1/128",
        "::ffff:10.8.0.1/120",
    ] {
        let error = bad.parse::<InterfaceAddress>().unwrap_err();
        assert_eq!(error.why, "not an address an interface can have", "{bad:?}");
    }
    for (bad, why) in [
        ("10.8.0.0/24", "the address of the network itself"),
        ("10.8.0.255/24", "the broadcast address of the network"),
        ("10.8.0.3/30", "the broadcast address of the network"),
    ] {
        let error = bad.parse::<InterfaceAddress>().unwrap_err();
        assert_eq!(error.why, why, "{bad:?}");
        assert!(error.allowed.starts_with("an address between 10.8.0.0 and 10.8.0."), "{error:?}");
    }
}

#[test]
fn endpoints_are_names_or_addresses_with_a_port() {
    for text in ["vpn.example.net:51820", "192.0.2.1:1", "[2001:db8::1]:51820", "a.b.:65535"] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
    }
    for bad in [
        "vpn.example.net",
        "vpn.example.net:0",
        "vpn.example.net:65536",
        "-bad.example:1",
        "bad-.example:1",
        "a..b:1",
        "under_score:1",
        ":1",
        "[fd00::g]:1",
        "192.0.2.300:1",
        "0.0.0.0:51820",
        "255.255.255.255:51820",
        "224.0.0.1:51820",
        "[::]:51820",
        "[ff02::1]:51820",
        "[::ffff:192.0.2.1]:51820",
        "sp ace:1",
    ] {
        assert!(bad.parse::<Endpoint>().is_err(), "{bad:?}");
    }
    let error = "2001:db8::1:51820".parse::<Endpoint>().unwrap_err();
    assert_eq!(error.why, "an IPv6 address without brackets");
}

#[test]
fn a_set_is_named_with_an_at_sign() {
    assert_eq!("@servers".parse(), Ok(AddressMatch::Set("servers".into())));
    assert!("@".parse::<AddressMatch>().is_err());
    assert!("servers".parse::<AddressMatch>().is_err());
}

#[test]
fn only_loopback_and_unix_sockets_are_local() {
    let local = |text: &str| text.parse::<Listen>().unwrap().is_local();
    assert!(local("127.0.0.1:9586"));
    assert!(local("[::1]:9586"));
    assert!(local("unix:/run/ringwall/metrics.sock"));
    assert!(!local("0.0.0.0:9586"));
    assert!(!local("[2001:db8::1]:9586"));
    assert!("unix:relative".parse::<Listen>().is_err());
    assert!("127.0.0.1:0".parse::<Listen>().is_err());
}
