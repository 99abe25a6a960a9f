//! A configuration file: any text is taken whole or refused with reasons that name a place.

use config::Config;
use std::path::Path;

/// Parses text; what is refused says why. Key files are looked for in a folder that does not exist.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text, Path::new("/nonexistent")) {
        Ok(loaded) => {
            let text = loaded.warnings.iter().map(ToString::to_string).collect::<String>();
            assert!(!text.contains('\u{1b}'), "an escape sequence reaches the terminal");
        }
        Err(rejected) => {
            assert!(!rejected.to_string().trim().is_empty(), "refused without a reason")
        }
    }
}
