//! The files of a source: paths and globs, in a lasting order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::SourceError;

/// The files that paths and globs name, relative to `base`; each once, in the order of the
/// patterns and sorted within each.
///
/// `*` and `?` stay within one name and do not match a dot at its front; `**` is any number of
/// folders.
///
/// # Errors
/// [`SourceError::NotFound`], [`SourceError::NoMatch`], and [`SourceError::Open`] for a folder.
pub fn expand(paths_or_globs: &[String], base: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in paths_or_globs {
        let mut found = if pattern.contains(['*', '?']) && !base.join(pattern).is_file() {
            glob(pattern, base)?
        } else {
            vec![file(base.join(pattern))?]
        };
        found.sort();
        for path in found {
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// What a file looks like from outside: its size and the time of its last change, as text.
///
/// # Errors
/// [`SourceError::NotFound`] and [`SourceError::Open`].
pub fn fingerprint(path: &Path) -> Result<String, SourceError> {
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, &error))?;
    let modified = metadata.modified().map_err(|error| cannot_open(path, &error))?;
    // Before 1970 all times are one.
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} bytes, {}.{:09}", metadata.len(), since.as_secs(), since.subsec_nanos()))
}

fn file(path: PathBuf) -> Result<PathBuf, SourceError> {
    let metadata = fs::metadata(&path).map_err(|error| cannot_open(&path, &error))?;
    if metadata.is_dir() {
        return Err(SourceError::Open { path, message: "it is a folder".to_owned() });
    }
    Ok(path)
}

fn cannot_open(path: &Path, error: &std::io::Error) -> SourceError {
    match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::NotFound { path: path.to_owned() },
        _ => SourceError::Open { path: path.to_owned(), message: error.to_string() },
    }
}

fn glob(pattern: &str, base: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let from = if pattern.starts_with('/') { PathBuf::from("/") } else { base.to_owned() };
    let parts: Vec<&str> =
        pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut found = Vec::new();
    walk(&from, &parts, &mut found)?;
    if found.is_empty() {
        let base = here_if_empty(base).to_owned();
        return Err(SourceError::NoMatch { pattern: pattern.to_owned(), base });
    }
    Ok(found)
}

fn walk(folder: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let Some((&part, rest)) = parts.split_first() else {
        return Ok(());
    };
    if !part.contains(['*', '?']) {
        return step(folder.join(part), rest, found);
    }
    if part == "**" {
        // No folder at all, then every folder below.
        let below = if rest.is_empty() { &["*"] } else { rest };
        walk(folder, below, found)?;
        for entry in names(folder)? {
            let path = folder.join(&entry);
            // A link to a folder above would lead around for ever.
            if !entry.starts_with('.') && path.is_dir() && !path.is_symlink() {
                walk(&path, parts, found)?;
            }
        }
        return Ok(());
    }
    for entry in names(folder)? {
        if entry.starts_with('.') <= part.starts_with('.') && matches(part, &entry) {
            step(folder.join(&entry), rest, found)?;
        }
    }
    Ok(())
}

fn step(path: PathBuf, rest: &[&str], found: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    if !rest.is_empty() {
        return if path.is_dir() { walk(&path, rest, found) } else { Ok(()) };
    }
    if path.is_file() {
        found.push(path);
    }
    Ok(())
}

// The entries of a folder; names that are not UTF-8 cannot be written in a pipeline either.
fn names(folder: &Path) -> Result<Vec<String>, SourceError> {
    let entries = match fs::read_dir(here_if_empty(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_open(folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot_open(folder, &error))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

// The folder of `pipeline.yaml` has no name, and the system opens no folder without one.
fn here_if_empty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                // The last star takes one character more.
                Some((at, taken)) => {
                    *taken += 1;
                    p = *at + 1;
                    n = *taken;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_within_a_name() {
        for (pattern, name) in
            [("*.mrc", "a.mrc"), ("*", ""), ("a?c*", "abcdef"), ("*a*b", "xaxbab"), ("é?", "éü")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.mrc", "a.mrcx"), ("?", ""), ("a*b", "acd"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
