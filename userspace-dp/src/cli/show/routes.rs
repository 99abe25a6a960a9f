//! `show routes`: what the workers route by.

use crate::api::Routes;
use crate::cli::colour::Paint;
use crate::cli::table::{Table, text};

pub(super) fn render(routes: &Routes, paint: Paint) -> String {
    let mut table = Table::new([
        text("prefix"),
        text("kind"),
        text("via"),
        text("interface"),
        text("neighbour"),
        text("hardware address"),
        text("state"),
    ]);
    for route in &routes.routes {
        let shown = |value: &Option<String>, absent: &str| {
            value.clone().unwrap_or_else(|| absent.to_owned())
        };
        let unicast = route.kind == "unicast";
        let (via, interface) = if unicast { ("on link", "not served") } else { ("", "") };
        let state = if route.neighbour.is_some() { "not looked for" } else { "" };
        table.row([
            route.prefix.clone(),
            route.kind.clone(),
            shown(&route.via, via),
            shown(&route.interface, interface),
            shown(&route.neighbour, ""),
            shown(&route.mac, ""),
            shown(&route.state, state),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Route;

    #[test]
    fn a_route_says_where_it_leads_and_which_neighbour_it_needs() {
        let route = |prefix: &str, kind: &str, words: [&str; 5]| {
            let [via, interface, neighbour, mac, state] =
                words.map(|word| (!word.is_empty()).then(|| word.to_owned()));
            Route {
                prefix: prefix.into(),
                kind: kind.into(),
                via,
                interface,
                neighbour,
                mac,
                state,
            }
        };
        let (gateway, mac) = ("192.0.2.1", "02:00:00:00:00:01");
        let routes = vec![
            route("0.0.0.0/0", "unicast", [gateway, "eth0", gateway, mac, "reachable"]),
            route("10.9.0.0/16", "unicast", [gateway, "", gateway, "", ""]),
            route("10.66.0.0/16", "blackhole", [""; 5]),
            route("192.0.2.0/24", "unicast", ["", "eth0", "", "", ""]),
            route("192.0.2.9/32", "unicast", ["", "eth0", "192.0.2.9", mac, "stale"]),
            route("10.8.0.0/24", "tunnel", ["", "ringwall0", "", "", ""]),
        ];
        let expected = "\
prefix        kind       via        interface   neighbour  hardware address   state
0.0.0.0/0     unicast    192.0.2.1  eth0        192.0.2.1  02:00:00:00:00:01  reachable
10.9.0.0/16   unicast    192.0.2.1  not served  192.0.2.1  -                  not looked for
10.66.0.0/16  blackhole  -          -           -          -                  -
192.0.2.0/24  unicast    on link    eth0        -          -                  -
192.0.2.9/32  unicast    on link    eth0        192.0.2.9  02:00:00:00:00:01  stale
10.8.0.0/24   tunnel     -          ringwall0   -          -                  -
";
        assert_eq!(render(&Routes { taken_at_unix: 0, routes }, Paint::Plain), expected);
    }
}
