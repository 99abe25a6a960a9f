//! Damaged files: whatever stands in them, the answer is a configuration or diagnostics with true places.

use super::scratch;
use crate::Config;
use crate::source::conceal;
use proptest::prelude::*;

/// One damage: at a place, take away some bytes and put others.
fn damage() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let pieces =
        ["", "\"", "[", "]", "=", "\n", "[[policy]]\n", "0", "-1", "x.y", "{}", "é", "'''", ","];
    let piece = prop::sample::select(pieces.map(str::to_owned).to_vec());
    (any::<prop::sample::Index>(), 0usize..12, piece)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_gives_diagnostics_whose_places_are_in_it(
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let scratch = scratch();
        let mut characters: Vec<char> = scratch.sample().chars().collect();
        for (place, length, piece) in damages {
            let start = place.index(characters.len() + 1);
            let end = (start + length).min(characters.len());
            characters.splice(start..end, piece.chars());
        }
        let text: String = characters.into_iter().collect();
        let diagnostics = match Config::parse(&text, scratch.path()) {
            Ok(loaded) => loaded.warnings,
            Err(rejected) => {
                prop_assert!(!rejected.diagnostics.is_empty());
                rejected.diagnostics
            }
        };
        let shown = conceal(&text);
        for one in diagnostics {
            let place = one.place.as_ref().expect("a place");
            let line = shown.split('\n').nth(place.line - 1).expect("a line of the file");
            prop_assert!(line.starts_with(&place.excerpt), "{one}\nis not in\n{text}");
            prop_assert!(place.column - 1 + place.width <= line.chars().count());
            prop_assert!(!one.message.is_empty());
        }
    }
}
