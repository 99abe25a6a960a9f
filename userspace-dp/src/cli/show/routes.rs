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
        let shown = |value: &Option<String>| value.clone().unwrap_or_default();
        table.row([
            route.prefix.clone(),
            route.kind.clone(),
            shown(&route.via),
            shown(&route.interface),
            shown(&route.neighbour),
            shown(&route.mac),
            shown(&route.state),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Route;

    #[test]
    fn a_route_shows_its_neighbour_or_that_it_has_none() {
        let blackhole = Route {
            prefix: "10.66.0.0/16".into(),
            kind: "blackhole".into(),
            via: None,
            interface: None,
            neighbour: None,
            mac: None,
            state: None,
        };
        let default = Route {
            prefix: "0.0.0.0/0".into(),
            kind: "unicast".into(),
            via: Some("192.0.2.1".into()),
            interface: Some("eth0".into()),
            neighbour: Some("192.0.2.1".into()),
            mac: Some("02:00:00:00:00:01".into()),
            state: Some("reachable".into()),
        };
        let expected = "\
prefix        kind       via        interface  neighbour  hardware address   state
0.0.0.0/0     unicast    192.0.2.1  eth0       192.0.2.1  02:00:00:00:00:01  reachable
10.66.0.0/16  blackhole  -          -          -          -                  -
";
        let routes = Routes { taken_at_unix: 0, routes: vec![default, blackhole] };
        assert_eq!(render(&routes, Paint::Plain), expected);
    }
}
