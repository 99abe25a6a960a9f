//! `show interfaces`: asked for and got, link counters, exits of the steering program.

use super::{cell, optional, yes_or_no};
use crate::api::Interfaces;
use crate::cli::colour::{Paint, Tone};
use crate::cli::table::{Table, number, text};

pub(super) fn render(interfaces: &Interfaces, paint: Paint) -> String {
    let mut page = attachments(interfaces, paint);
    for interface in &interfaces.interfaces {
        if let Some(reason) = &interface.stepped_down {
            let line = format!("{}: stepped down: {reason}", interface.name);
            page.push_str(&paint.paint(Tone::Warn, &line));
            page.push('\n');
        }
    }
    [page, links(interfaces, paint), steering(interfaces, paint)].join("\n")
}

fn attachments(interfaces: &Interfaces, paint: Paint) -> String {
    let mut table = Table::new([
        text("interface"),
        number("index"),
        text("zone"),
        text("link"),
        text("mode"),
        text("zero-copy"),
        number("queues"),
        number("mtu"),
        text("hardware address"),
        number("program"),
    ]);
    for interface in &interfaces.interfaces {
        table.row([
            interface.name.clone(),
            cell(interface.ifindex),
            interface.zone.clone(),
            if interface.link_up { "up" } else { "down" }.to_owned(),
            interface.mode.clone(),
            yes_or_no(interface.zero_copy),
            cell(interface.queues),
            cell(interface.mtu),
            interface.mac.clone().unwrap_or_default(),
            optional(interface.program_id),
        ]);
    }
    table.render(paint)
}

fn links(interfaces: &Interfaces, paint: Paint) -> String {
    let mut table = Table::new([
        text("interface"),
        number("received"),
        number("bytes"),
        number("dropped"),
        number("errors"),
        number("sent"),
        number("bytes"),
        number("dropped"),
        number("errors"),
    ]);
    for interface in &interfaces.interfaces {
        let link = &interface.link;
        table.row([
            interface.name.clone(),
            cell(link.rx_packets),
            cell(link.rx_bytes),
            cell(link.rx_dropped),
            cell(link.rx_errors),
            cell(link.tx_packets),
            cell(link.tx_bytes),
            cell(link.tx_dropped),
            cell(link.tx_errors),
        ]);
    }
    table.render(paint)
}

fn steering(interfaces: &Interfaces, paint: Paint) -> String {
    let mut table = Table::new([number("packets"), text("exit of the steering program")]);
    for exit in &interfaces.steering {
        table.row([cell(exit.packets), exit.exit.clone()]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Interface, LinkStatistics, SteeringExit};

    #[test]
    fn what_was_got_and_why_not_more_stands_above_the_counters() {
        let exit = |exit: &str, packets| SteeringExit { exit: exit.into(), packets };
        let eth0 = Interface {
            name: "eth0".into(),
            ifindex: 2,
            zone: "wan".into(),
            mode: "native".into(),
            zero_copy: false,
            stepped_down: Some("veth has no zero-copy".into()),
            queues: 2,
            mtu: 1500,
            mac: Some("02:00:00:00:00:01".into()),
            program_id: Some(77),
            link_up: true,
            link: LinkStatistics { rx_packets: 10, rx_bytes: 640, ..LinkStatistics::default() },
        };
        let tun = Interface {
            name: "ringwall0".into(),
            ifindex: 9,
            zone: "vpn".into(),
            mode: "tun".into(),
            stepped_down: None,
            queues: 1,
            mtu: 1420,
            mac: None,
            program_id: None,
            ..eth0.clone()
        };
        let expected = "\
interface  index  zone  link  mode    zero-copy  queues   mtu  hardware address   program
eth0           2  wan   up    native  no              2  1500  02:00:00:00:00:01       77
ringwall0      9  vpn   up    tun     no              1  1420  -                        -
eth0: stepped down: veth has no zero-copy

interface  received  bytes  dropped  errors  sent  bytes  dropped  errors
eth0             10    640        0       0     0      0        0       0
ringwall0        10    640        0       0     0      0        0       0

packets  exit of the steering program
     10  redirect
      0  dead_worker
";
        let steering = vec![exit("redirect", 10), exit("dead_worker", 0)];
        let interfaces = Interfaces { taken_at_unix: 0, interfaces: vec![eth0, tun], steering };
        assert_eq!(render(&interfaces, Paint::Plain), expected);
    }
}
