//! What of a file may be shown: everything but what looks like a key.
//!
//! A key file given where a configuration belongs, or a key pasted into one, must not end up in a terminal or a log.

use std::borrow::Cow;

/// Base64 characters of a key, before the `=` that ends it.
const KEY_CHARACTERS: usize = 43;

/// What stands in the place of a key, filled up with dots to its length: columns stay what they are.
const NOTE: &str = "<looks like a key, not shown>";

/// `text` without what looks like a key, at the same length. Only what `public_key` is set to stays.
pub(crate) fn conceal(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut copied, mut start) = (0, 0);
    for (offset, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' {
            continue;
        }
        if byte == b'=' && offset - start >= KEY_CHARACTERS && !is_public(&text[..start]) {
            shown.push_str(&text[copied..start]);
            shown.push_str(NOTE);
            shown.extend(std::iter::repeat_n('.', offset + 1 - start - NOTE.len()));
            copied = offset + 1;
        }
        start = offset + 1;
        while !text.is_char_boundary(start) {
            start += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[copied..]);
    Cow::Owned(shown)
}

/// `name` unless it looks like a key: what stands before `=` in a line is one to TOML.
pub(crate) fn conceal_name(name: String) -> String {
    let assigned = format!("{name}=");
    match conceal(&assigned) {
        Cow::Borrowed(_) => name,
        Cow::Owned(concealed) => concealed,
    }
}

/// Whether what follows `before` is the value of `public_key`.
fn is_public(before: &str) -> bool {
    let assigned = before.strip_suffix(['"', '\'']).map(str::trim_end);
    let name = assigned.and_then(|assigned| assigned.strip_suffix('='));
    name.is_some_and(|name| name.trim_end().ends_with("public_key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

    #[test]
    fn a_key_is_not_shown_and_its_length_is_kept() {
        for (before, after) in [
            ("", "\n"),
            ("PrivateKey = ", " # é"),
            ("é", ""),
            ("name = \"", "\""),
            ("k=", "="),
            ("é\n", ""),
        ] {
            let text = format!("{before}{KEY}{after}");
            let shown = conceal(&text);
            assert!(!shown.contains("AQID") && shown.contains(NOTE), "{shown}");
            assert_eq!(shown.len(), text.len());
            assert!(shown.starts_with(before) && shown.ends_with(after), "{shown}");
        }
        assert_eq!(conceal(&format!("{KEY}{KEY}")).matches(NOTE).count(), 2);
        assert!(!conceal_name(KEY.trim_end_matches('=').to_owned()).contains("AQID"));
    }

    #[test]
    fn public_keys_and_all_else_are_shown() {
        for text in [
            "",
            "é",
            "zone = \"lan\"",
            "private_key_file = \"/etc/ringwall/private.key\"",
            &format!("public_key = \"{KEY}\""),
            &format!("public_key='{KEY}'"),
            KEY.trim_start_matches('A'),
        ] {
            assert_eq!(conceal(text), text);
        }
        assert_eq!(conceal_name("wireguard.peer[0].name".into()), "wireguard.peer[0].name");
    }
}
