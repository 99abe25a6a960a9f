//! Where the daemon's configuration comes from: its file, and what the command line says in the file's place.
//!
//! The start and every reload read it in the same way, so that a reload takes nothing back.

use std::path::PathBuf;

use config::{Config, Loaded, Rejected};

/// The configuration's sources.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file; drop-ins are read from the directory beside it.
    pub path: PathBuf,
    /// Where the control socket is, in place of what the file says.
    pub control_socket: Option<PathBuf>,
}

impl Source {
    /// Reads the configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(&self) -> Result<Loaded, Rejected> {
        let mut loaded = Config::load(&self.path)?;
        if let Some(socket) = &self.control_socket {
            loaded.config.telemetry.control_socket.clone_from(socket);
        }
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_where_the_control_socket_is_also_after_a_reload() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.toml");
        let text = |socket| {
            format!(
                "version = 1\n[[interface]]\nname = \"eth0\"\nzone = \"lan\"\n[[zone]]\nname = \"lan\"\n[telemetry]\ncontrol_socket = \"{socket}\"\n"
            )
        };
        let given = Source { path: path.clone(), control_socket: Some("/run/given.sock".into()) };
        let plain = Source { path: path.clone(), control_socket: None };
        let socket = |source: &Source| source.load().unwrap().config.telemetry.control_socket;
        for file in ["/run/file.sock", "/run/other.sock"] {
            std::fs::write(&path, text(file)).unwrap();
            assert_eq!(socket(&given), PathBuf::from("/run/given.sock"));
            assert_eq!(socket(&plain), PathBuf::from(file));
        }
    }
}
