//! What was written survives a loss of power.
//!
//! To sync files one by one costs far more than to write them, as long as they are small: where the
//! system can be relied on to do it, all of a file system is synced at once.

use std::fs::File;
use std::io;
use std::path::Path;

/// Syncs a file that was written, or a folder in which something got a name.
#[cfg(unix)]
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

// Elsewhere folders cannot be opened to be synced.
#[cfg(not(unix))]
pub(super) fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() { Ok(()) } else { File::options().write(true).open(path)?.sync_all() }
}

/// Syncs all of the file system that a folder is on; false where that cannot be relied on, and
/// nothing was done.
///
/// Linux tells of bytes that could not be written since 5.8; of other file systems than these it
/// is not known whether all is written.
#[cfg(target_os = "linux")]
pub(super) fn sync_all(folder: &Path) -> io::Result<bool> {
    const EXT: i64 = 0xEF53;
    const XFS: i64 = 0x5846_5342;
    const BTRFS: i64 = 0x9123_683E;
    const TMPFS: i64 = 0x0102_1994;
    let folder = File::open(folder)?;
    #[allow(clippy::useless_conversion, reason = "of 32 bits on some machines")]
    let kind = i64::try_from(rustix::fs::fstatfs(&folder)?.f_type).unwrap_or(0);
    if !tells_of_errors() || ![EXT, XFS, BTRFS, TMPFS].contains(&kind) {
        return Ok(false);
    }
    rustix::fs::syncfs(&folder)?;
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync_all(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
fn tells_of_errors() -> bool {
    static TELLS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let ask = || {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        is_recent(&release)
    };
    *TELLS.get_or_init(ask)
}

#[cfg(target_os = "linux")]
fn is_recent(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (5, 8),
        _ => false,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_not_relied_on() {
        let releases = [("4.18.0-553.el8", false), ("5.7.19", false), ("5.8.0", true)];
        for (release, recent) in releases {
            assert_eq!(is_recent(release), recent, "{release}");
        }
        assert!(is_recent("6.18.44-x\n") && !is_recent("") && !is_recent("5"));
    }
}
