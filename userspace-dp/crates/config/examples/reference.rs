//! Writes the reference configuration and the JSON schema from the model: `config/ringwall.toml` and
//! `config/ringwall.schema.json`, or the same names in the directory that is given.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../config"));
    let directory = std::env::args_os().nth(1).map_or_else(default, PathBuf::from);
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("ringwall.toml"), ringwall_config::reference())?;
    let schema = serde_json::to_string_pretty(&ringwall_config::schema())? + "\n";
    std::fs::write(directory.join("ringwall.schema.json"), schema)?;
    Ok(())
}
