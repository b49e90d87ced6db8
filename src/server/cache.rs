//! Pages that were given, to be given again as long as what is on them is unchanged; and counts.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::gzip::Deflated;
use super::{COMPRESSED_FROM, ServerError};
use crate::record::{ContentHash, Datestamp, content_hash};

/// A count is good for so many times as long as it took: counting never takes more than a
/// twentieth of the time, and what is counted fast is counted anew.
const GOOD_FOR: u32 = 20;

/// So many counts are remembered.
const MOST_COUNTS: usize = 1000;

/// Pages of XML shrink to a tenth at the level that is fast.
const LEVEL: i32 = 1;

/// Pages by what was asked for, compressed, up to a number of bytes; the oldest go first.
pub(super) struct PageCache {
    most_bytes: usize,
    pages: Mutex<Pages>,
    counts: Mutex<HashMap<String, (u64, Instant)>>,
}

#[derive(Default)]
struct Pages {
    bytes: usize,
    by_key: HashMap<String, PackedPage>,
    keys: VecDeque<String>,
}

/// The records of a page.
pub(super) struct CachedPage {
    pub text: PageText,
    /// What else is known of it.
    pub end: PageEnd,
}

/// A page from the verb's element on, up to the token.
#[derive(Clone)]
pub(super) enum PageText {
    /// As it is.
    Plain(Bytes),
    /// For who takes gzip.
    Deflated(Arc<Deflated>),
}

impl PageText {
    /// Deflates a page that is worth it.
    ///
    /// # Errors
    /// [`ServerError::Unfinished`]
    pub async fn of(xml: String, in_gzip: bool) -> Result<PageText, ServerError> {
        if !in_gzip || xml.len() < COMPRESSED_FROM {
            return Ok(PageText::Plain(xml.into()));
        }
        let work = spawn_blocking(move || Deflated::new(xml.as_bytes())).await;
        let page = work.unwrap_or_else(|error| Err(error.into()));
        let page = page.map_err(|error| ServerError::Unfinished(error.to_string()))?;
        Ok(PageText::Deflated(Arc::new(page)))
    }
}

/// What a page leads to.
#[derive(Clone, Copy)]
pub(super) struct PageEnd {
    /// How many records are on it.
    pub records: u64,
    /// Whether there are more behind it.
    pub more: bool,
    /// The position of its last item.
    pub after: Option<(Datestamp, Uuid)>,
}

/// A page as it is kept.
#[derive(Clone)]
struct PackedPage {
    /// The hash of what the store said of its items: another text, and the page is void.
    fingerprint: ContentHash,
    /// The store's generation when that was looked at last.
    generation: Option<String>,
    packed: Packed,
    end: PageEnd,
}

#[derive(Clone)]
enum Packed {
    /// One frame, and how many bytes are in it.
    Zstd(Arc<[u8]>, usize),
    Deflated(Arc<Deflated>),
}

impl PackedPage {
    fn size(&self, key: &str) -> usize {
        let packed = match &self.packed {
            Packed::Zstd(frame, _) => frame.len(),
            Packed::Deflated(page) => page.size(),
        };
        2 * key.len() + size_of::<PackedPage>() + packed
    }

    fn unpack(&self) -> Option<CachedPage> {
        let text = match &self.packed {
            Packed::Zstd(frame, bytes) => {
                PageText::Plain(zstd::bulk::decompress(frame, *bytes).ok()?.into())
            }
            Packed::Deflated(page) => PageText::Deflated(Arc::clone(page)),
        };
        Some(CachedPage { text, end: self.end })
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

    /// The page, if nothing at all was changed since it was looked at last.
    pub fn at(&self, key: &str, generation: Option<&str>) -> Option<CachedPage> {
        let is_same =
            |page: &&PackedPage| generation.is_some() && page.generation.as_deref() == generation;
        let page = locked(&self.pages).by_key.get(key).filter(is_same).cloned();
        page?.unpack()
    }

    /// The page that was made of the same items; they were looked at after the store had this
    /// generation.
    pub fn get(
        &self,
        key: &str,
        fingerprint: &str,
        generation: Option<String>,
    ) -> Option<CachedPage> {
        let fingerprint = content_hash(fingerprint.as_bytes());
        let page = {
            let mut pages = locked(&self.pages);
            let page = pages.by_key.get_mut(key).filter(|page| page.fingerprint == fingerprint)?;
            page.generation = generation;
            page.clone()
        };
        page.unpack()
    }

    /// Keeps a page, with the fingerprint of the items that it was made of.
    pub fn put(&self, key: String, fingerprint: &str, text: PageText, end: PageEnd) {
        let packed = match text {
            PageText::Plain(xml) if xml.len() > self.most_bytes => return,
            PageText::Plain(xml) => match zstd::bulk::compress(&xml, LEVEL) {
                Ok(frame) => Packed::Zstd(frame.into(), xml.len()),
                Err(_) => return,
            },
            PageText::Deflated(page) => Packed::Deflated(page),
        };
        let fingerprint = content_hash(fingerprint.as_bytes());
        let page = PackedPage { fingerprint, generation: None, packed, end };
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

    const END: PageEnd = PageEnd { records: 1, more: false, after: None };

    fn put(cache: &PageCache, key: &str, fingerprint: &str, xml: &str) {
        cache.put(key.to_owned(), fingerprint, PageText::Plain(xml.to_owned().into()), END);
    }

    fn plain(page: Option<CachedPage>) -> Bytes {
        match page.unwrap().text {
            PageText::Plain(xml) => xml,
            PageText::Deflated(_) => panic!("deflated"),
        }
    }

    #[test]
    fn a_page_of_other_items_is_not_given() {
        let cache = PageCache::new(10_000);
        put(&cache, "a", "1", "one");
        assert!(cache.get("a", "1", None).is_some());
        assert!(cache.get("a", "2", None).is_none());
        put(&cache, "a", "2", "two");
        assert!(cache.get("a", "1", None).is_none());
        assert_eq!(plain(cache.get("a", "2", None)), "two");
    }

    #[test]
    fn a_page_is_good_for_the_generation_in_which_it_was_looked_at() {
        let cache = PageCache::new(10_000);
        put(&cache, "a", "1", "one");
        assert!(cache.at("a", None).is_none() && cache.at("a", Some("7")).is_none());
        assert!(
            cache.get("a", "2", Some("7".to_owned())).is_none()
                && cache.at("a", Some("7")).is_none()
        );
        assert!(
            cache.get("a", "1", Some("7".to_owned())).is_some()
                && cache.at("a", Some("7")).is_some()
        );
        assert!(cache.at("a", Some("8")).is_none() && cache.at("a", None).is_none());
    }

    #[test]
    fn the_oldest_pages_make_room() {
        let one = PageCache::new(10_000);
        put(&one, "a", "1", "123456789");
        let size = locked(&one.pages).bytes;
        let cache = PageCache::new(4 * size);
        for key in ["a", "b", "c", "d", "d", "e"] {
            put(&cache, key, "1", "123456789");
        }
        let has = |key| cache.get(key, "1", None).is_some();
        assert_eq!(["a", "b", "c", "d", "e"].map(has), [false, true, true, true, true]);
        put(&cache, "f", "1", "longer than a quarter");
        assert!(!has("f") && has("b"));
    }

    #[test]
    fn pages_are_kept_small() {
        let cache = PageCache::new(1_000_000);
        let xml = "<identifier>oai:example.org:1</identifier>".repeat(1000);
        put(&cache, "a", "1", &xml);
        assert!(locked(&cache.pages).bytes < xml.len() / 20);
        assert_eq!(plain(cache.get("a", "1", None)), xml);
    }

    #[test]
    fn a_count_is_good_for_a_time() {
        let cache = PageCache::new(0);
        cache.put_count("fast".to_owned(), 1, Duration::ZERO);
        cache.put_count("slow".to_owned(), 2, Duration::from_secs(1));
        assert_eq!((cache.count("fast"), cache.count("slow")), (None, Some(2)));
    }
}
