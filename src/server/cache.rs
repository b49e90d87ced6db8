//! Pages that were given, to be given again as long as what is on them is unchanged; and counts.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use uuid::Uuid;

use crate::record::Datestamp;

/// A count is good for so many times as long as it took: counting never takes more than a
/// twentieth of the time, and what is counted fast is counted anew.
const GOOD_FOR: u32 = 20;

/// So many counts are remembered.
const MOST_COUNTS: usize = 1000;

/// Pages by what was asked for, up to a number of bytes; the oldest go first.
pub(super) struct PageCache {
    most_bytes: usize,
    pages: Mutex<Pages>,
    counts: Mutex<HashMap<String, (u64, Instant)>>,
}

#[derive(Default)]
struct Pages {
    bytes: usize,
    by_key: HashMap<String, CachedPage>,
    keys: VecDeque<String>,
}

/// The records of a page.
#[derive(Clone)]
pub(super) struct CachedPage {
    /// What the store said of its items: another text, and the page is void.
    pub fingerprint: String,
    /// From the verb's element on, up to the token.
    pub xml: Bytes,
    /// How many records are on it.
    pub records: u64,
    /// Whether there are more behind it.
    pub more: bool,
    /// The position of its last item.
    pub after: Option<(Datestamp, Uuid)>,
}

impl CachedPage {
    fn size(&self, key: &str) -> usize {
        2 * key.len() + self.fingerprint.len() + self.xml.len()
    }
}

impl PageCache {
    /// Holds at most so many bytes.
    pub fn new(most_bytes: usize) -> PageCache {
        PageCache { most_bytes, pages: Mutex::default(), counts: Mutex::default() }
    }

    /// Whether it never holds anything.
    pub fn is_off(&self) -> bool {
        self.most_bytes == 0
    }

    /// Whether something is kept under this key, good or not.
    pub fn has(&self, key: &str) -> bool {
        locked(&self.pages).by_key.contains_key(key)
    }

    /// The page that was made of the same items.
    pub fn get(&self, key: &str, fingerprint: &str) -> Option<CachedPage> {
        let pages = locked(&self.pages);
        pages.by_key.get(key).filter(|page| page.fingerprint == fingerprint).cloned()
    }

    /// Keeps a page, with the fingerprint of the items that it was made of.
    pub fn put(&self, key: String, page: CachedPage) {
        let added = page.size(&key);
        if added > self.most_bytes / 4 {
            return;
        }
        let mut pages = locked(&self.pages);
        while pages.bytes + added > self.most_bytes {
            let Some(oldest) = pages.keys.pop_front() else { break };
            if let Some(page) = pages.by_key.remove(&oldest) {
                pages.bytes -= page.size(&oldest);
            }
        }
        pages.bytes += added;
        match pages.by_key.insert(key.clone(), page) {
            Some(before) => pages.bytes -= before.size(&key),
            None => pages.keys.push_back(key),
        }
    }

    /// A count that is still good.
    pub fn count(&self, key: &str) -> Option<u64> {
        let counts = locked(&self.counts);
        counts.get(key).filter(|(_, until)| *until > Instant::now()).map(|(count, _)| *count)
    }

    /// Keeps a count that took so long to make.
    pub fn put_count(&self, key: String, count: u64, taken: Duration) {
        let now = Instant::now();
        let mut counts = locked(&self.counts);
        if counts.len() >= MOST_COUNTS {
            counts.retain(|_, (_, until)| *until > now);
        }
        if counts.len() < MOST_COUNTS {
            counts.insert(key, (count, now + taken * GOOD_FOR));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(fingerprint: &str, text: &'static str) -> CachedPage {
        let xml = Bytes::from_static(text.as_bytes());
        CachedPage {
            fingerprint: fingerprint.to_owned(),
            xml,
            records: 1,
            more: false,
            after: None,
        }
    }

    #[test]
    fn a_page_of_other_items_is_not_given() {
        let cache = PageCache::new(1000);
        cache.put("a".to_owned(), page("1", "one"));
        assert!(cache.get("a", "1").is_some());
        assert!(cache.get("a", "2").is_none());
        cache.put("a".to_owned(), page("2", "two"));
        assert!(cache.get("a", "1").is_none());
        assert_eq!(&*cache.get("a", "2").unwrap().xml, b"two");
    }

    #[test]
    fn the_oldest_pages_make_room() {
        let cache = PageCache::new(48);
        for key in ["a", "b", "c", "d", "d", "e"] {
            cache.put(key.to_owned(), page("1", "123456789"));
        }
        let has = |key| cache.get(key, "1").is_some();
        assert_eq!(["a", "b", "c", "d", "e"].map(has), [false, true, true, true, true]);
        cache.put("f".to_owned(), page("1", "longer than a quarter"));
        assert!(!has("f"));
    }

    #[test]
    fn a_count_is_good_for_a_time() {
        let cache = PageCache::new(0);
        cache.put_count("fast".to_owned(), 1, Duration::ZERO);
        cache.put_count("slow".to_owned(), 2, Duration::from_secs(1));
        assert_eq!((cache.count("fast"), cache.count("slow")), (None, Some(2)));
    }
}
