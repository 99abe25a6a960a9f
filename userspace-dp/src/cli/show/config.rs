//! `show config`: the configuration in effect, in the form of the file.

use crate::api::ConfigReport;

pub(super) fn render(report: &ConfigReport) -> String {
    let files = report.files.join(", ");
    let head = format!("# Generation {}, from {files}\n", report.generation);
    let body = config::to_toml(&report.config);
    // What a daemon of another version says may not fit TOML; it is shown all the same.
    head + &body.unwrap_or_else(|| format!("{:#}\n", report.config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(config: serde_json::Value) -> ConfigReport {
        ConfigReport { generation: 3, files: vec!["/etc/ringwall/ringwall.toml".into()], config }
    }

    #[test]
    fn the_configuration_is_shown_as_it_would_be_written() {
        let shown = render(&report(json!({
            "version": 1,
            "gateway": { "name": "edge-1" },
            "interface": [{ "name": "eth0", "zone": "wan" }],
        })));
        let expected = "\
# Generation 3, from /etc/ringwall/ringwall.toml
version = 1

[gateway]
name = \"edge-1\"

[[interface]]
name = \"eth0\"
zone = \"wan\"
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_toml_cannot_say_is_shown_as_json() {
        assert!(render(&report(json!({ "nothing": null }))).contains("\"nothing\": null"));
    }
}
