//! The drop-in directory: merged in name order, appended to, never overridden.

use super::scratch;

const PEER: &str = "[[wireguard.peer]]\nname = \"NAME\"\npublic_key = \"BYTEIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\"\nallowed_ips = [\"10.9.0.NUMBER/32\"]\n";

fn peer(name: &str, byte: &str, number: &str) -> String {
    PEER.replace("NAME", name).replace("BYTE", byte).replace("NUMBER", number)
}

#[test]
fn drop_ins_are_merged_in_name_order() {
    let scratch = scratch();
    scratch.file("ringwall.d/20-second.toml", &peer("second", "Aw", "2"));
    scratch.file("ringwall.d/10-first.toml", &format!("version = 1\n{}", peer("first", "BA", "1")));
    scratch.file("ringwall.d/README", "not TOML: only *.toml is read");
    scratch.file("ringwall.d/.hidden.toml", "not = ");
    let loaded = scratch.load(&scratch.sample()).unwrap_or_else(|rejected| panic!("{rejected:#?}"));
    let peers = loaded.config.wireguard.unwrap().peer;
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["branch-1", "first", "second"]);
    assert_eq!(loaded.files.len(), 3);
    assert!(loaded.files[1].ends_with("ringwall.d/10-first.toml"));
}

#[test]
fn tables_are_merged_key_by_key() {
    let scratch = scratch();
    scratch.file(
        "ringwall.d/log.toml",
        "[telemetry]\nlog_format = \"json\"\n[gateway]\nname = \"g7\"\n",
    );
    let text = format!("{}\n[telemetry]\nlog_level = \"debug\"\n", scratch.sample());
    let config = scratch.load(&text).unwrap().config;
    assert_eq!(config.telemetry.log_level, crate::LogLevel::Debug);
    assert_eq!(config.telemetry.log_format, crate::LogFormat::Json);
    assert_eq!(config.gateway.name.as_str(), "g7");
}

#[test]
fn a_key_set_in_two_files_is_an_error_that_names_both() {
    let scratch = scratch();
    let drop_in = scratch.file("ringwall.d/zone.toml", "[wireguard]\nzone = \"lan\"\n");
    let rejected = scratch.load(&scratch.sample()).unwrap_err();
    assert_eq!(rejected.diagnostics.len(), 1);
    let problem = &rejected.diagnostics[0];
    let main = scratch.path().join("ringwall.toml");
    assert_eq!(problem.key, "wireguard.zone");
    assert_eq!(problem.message, format!("set before, in {}:9", main.display()));
    let place = problem.place.as_ref().unwrap();
    assert_eq!((&place.file, place.line), (&drop_in, 2));
    assert_eq!(place.excerpt, "zone = \"lan\"");
}

#[test]
fn a_problem_in_a_drop_in_names_that_file_and_its_line() {
    let scratch = scratch();
    scratch.file("ringwall.d/10-good.toml", &peer("good", "BA", "1"));
    let bad = scratch.file("ringwall.d/20-bad.toml", &peer("bad", "Aw", "0/33\", \"10.0.0.0"));
    let rejected = scratch.load(&scratch.sample()).unwrap_err();
    let problem = &rejected.diagnostics[0];
    assert_eq!(problem.key, "wireguard.peer[2].allowed_ips[0]");
    let place = problem.place.as_ref().unwrap();
    assert_eq!((&place.file, place.line, place.column), (&bad, 4, 16));
}

#[test]
fn bad_syntax_in_a_drop_in_names_that_file() {
    let scratch = scratch();
    let bad = scratch.file("ringwall.d/bad.toml", "[telemetry\n");
    let rejected = scratch.load(&scratch.sample()).unwrap_err();
    assert_eq!(rejected.diagnostics[0].place.as_ref().unwrap().file, bad);
}

#[test]
fn the_same_version_may_stand_in_every_file_and_another_may_not() {
    let scratch = scratch();
    scratch.file("ringwall.d/v.toml", "version = 1\n");
    assert!(scratch.load(&scratch.sample()).is_ok());
    scratch.file("ringwall.d/v.toml", "version = 2\n");
    let rejected = scratch.load(&scratch.sample()).unwrap_err();
    assert_eq!(rejected.diagnostics[0].key, "version");
}

#[test]
fn a_file_that_is_not_there_is_told_without_a_key() {
    let missing = scratch().path().join("none.toml");
    let rejected = crate::Config::load(&missing).unwrap_err();
    assert!(rejected.to_string().starts_with(&missing.display().to_string()), "{rejected}");
    assert!(!rejected.no_permission);
}
