//! Paths as messages, checkpoints and the store name them.

use std::path::{Component, Path, PathBuf};

/// The path as messages show it: without `folder/..` detours.
pub(super) fn short_name(path: &Path) -> String {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        let detour = matches!(part, Component::ParentDir)
            && matches!(parts.last(), Some(Component::Normal(_)));
        if detour {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.iter().collect::<PathBuf>().display().to_string()
}

/// Without `.` and `..`, so that the store names each folder in one way.
pub(super) fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.display().to_string()
}
