//! The lines on the wire, spelled out.

use super::*;

#[test]
fn a_request_is_one_flat_object_with_version_and_verb() {
    let show = Request::new(Verb::Show { what: Subject::Peers });
    assert_eq!(serde_json::to_string(&show).unwrap(), r#"{"v":1,"verb":"show","what":"peers"}"#);
    let status = Request::new(Verb::Status);
    assert_eq!(serde_json::to_string(&status).unwrap(), r#"{"v":1,"verb":"status"}"#);
}

#[test]
fn requests_come_back_as_they_were_sent() {
    for verb in [Verb::Status, Verb::Show { what: Subject::Drops }] {
        let line = serde_json::to_string(&Request::new(verb)).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), Request::new(verb));
    }
}

#[test]
fn an_unknown_verb_or_table_is_not_understood() {
    assert!(serde_json::from_str::<Request>(r#"{"v":1,"verb":"reboot"}"#).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"v":1,"verb":"show","what":"keys"}"#).is_err());
}

#[test]
fn a_reply_names_its_body() {
    let reply = Reply::new(Body::Drops(Drops { taken_at_unix: 7, drops: Vec::new() }));
    let line = serde_json::to_string(&reply).unwrap();
    assert_eq!(line, r#"{"schema_version":1,"drops":{"taken_at_unix":7,"drops":[]}}"#);
    assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
}

#[test]
fn a_refusal_says_whose_fault_it_is() {
    let reply = Reply::refusal(RefusalKind::NoPermission, "user 1000 may not read");
    let line = serde_json::to_string(&reply).unwrap();
    let expected = r#"{"schema_version":1,"error":{"kind":"no-permission","message":"user 1000 may not read"}}"#;
    assert_eq!(line, expected);
}

#[test]
fn a_field_from_the_future_is_ignored() {
    let line = r#"{"schema_version":1,"drops":{"taken_at_unix":7,"drops":[],"tomorrow":true}}"#;
    assert!(serde_json::from_str::<Reply>(line).is_ok());
}
