//! systemd's RemoveIPC: deletes what a user has in /dev/shm when the last session ends.

use std::fs;
use std::path::Path;

use super::Finding;

const SECTION: &str = "logout";

/// Where logind looks, later ones over earlier ones.
const DIRECTORIES: [&str; 4] =
    ["/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd"];

/// Users below this are the system's, and spared.
const FIRST_USER: u32 = 1000;

pub(super) fn examine() -> Vec<Finding> {
    if !Path::new("/run/systemd/system").exists() {
        return vec![Finding::ok(SECTION, "no systemd here that removes segments at logout")];
    }
    if rustix::process::geteuid().as_raw() < FIRST_USER {
        return vec![Finding::ok(
            SECTION,
            "systemd spares the segments of system users, such as this one",
        )];
    }
    // What systemd does where nothing is said; some distributions compile in `no`.
    vec![match removes_ipc(&configuration()) {
        Some(false) => Finding::ok(SECTION, "systemd keeps segments at logout (RemoveIPC=no)"),
        set => Finding::warn(
            SECTION,
            format!(
                "systemd removes this user's segments in /dev/shm when the last session ends (RemoveIPC={})",
                if set.is_some() { "yes" } else { "yes, the default" }
            ),
            "set RemoveIPC=no in /etc/systemd/logind.conf, or `loginctl enable-linger`, or use another directory (NDSHM_DIR)",
        ),
    }]
}

/// All of logind's configuration, in the order in which it counts.
fn configuration() -> String {
    let mut text = String::new();
    let mut snippets = Vec::new();
    for dir in DIRECTORIES.map(Path::new) {
        text.push_str(&fs::read_to_string(dir.join("logind.conf")).unwrap_or_default());
        text.push('\n');
        let entries = fs::read_dir(dir.join("logind.conf.d")).into_iter().flatten().flatten();
        snippets.extend(
            entries
                .map(|entry| entry.path())
                .filter(|p| p.extension().is_some_and(|e| e == "conf")),
        );
    }
    snippets.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    for path in snippets {
        text.push_str(&fs::read_to_string(path).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// The last word on it; `None` where there is none.
fn removes_ipc(configuration: &str) -> Option<bool> {
    let settings = configuration.lines().filter_map(|line| line.trim().strip_prefix("RemoveIPC"));
    let values = settings.filter_map(|rest| rest.trim_start().strip_prefix('='));
    values
        .filter_map(|value| match value.trim().to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => Some(true),
            "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::removes_ipc;

    #[test]
    fn the_last_setting_counts() {
        assert_eq!(removes_ipc("[Login]\n#RemoveIPC=yes\n"), None);
        assert_eq!(removes_ipc("[Login]\nRemoveIPC=no\n"), Some(false));
        assert_eq!(removes_ipc("RemoveIPC = no\nRemoveIPC=yes\n"), Some(true));
        assert_eq!(removes_ipc("RemoveIPC=\nRemoveIPCs=no"), None);
    }
}
