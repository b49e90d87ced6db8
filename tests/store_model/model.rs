//! What a store should hold, as simply as it can be said.

use std::collections::BTreeMap;

use windrow::record::{PidName, PidStatus};

use super::{RECORDS, Turn};

pub fn record_name(record: usize) -> String {
    format!("r{record}")
}

/// The last PIDs are recids that no record brings itself.
pub fn pid_name(pid: usize) -> PidName {
    let text =
        if pid.is_multiple_of(2) { format!("doi:10.1/{pid}") } else { format!("recid:x{pid}") };
    text.parse().unwrap()
}

pub fn json(title: u8) -> Vec<u8> {
    format!(r#"{{"title":"{title}"}}"#).into_bytes()
}

/// A PID of the model: its status, and what it leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPid {
    pub status: char,
    pub record: Option<usize>,
    pub to: Option<PidName>,
}

/// What a store should hold.
#[derive(Debug, Default)]
pub struct Model {
    /// Every revision that a record ever had, with a title or without.
    pub past: BTreeMap<usize, Vec<Option<u8>>>,
    /// Whether the record is still there.
    pub there: BTreeMap<usize, bool>,
    /// What a source last said of a record.
    pub loaded: BTreeMap<usize, Option<u8>>,
    pub pids: BTreeMap<PidName, ModelPid>,
}

/// How an operation ends: well, or with this code.
pub type Told = Result<(), &'static str>;

impl Model {
    pub fn is_there(&self, record: usize) -> bool {
        self.there.get(&record) == Some(&true)
    }

    pub fn is_live(&self, record: usize) -> bool {
        self.is_there(record) && self.past[&record].last().unwrap().is_some()
    }

    pub fn revision(&self, record: usize) -> i64 {
        i64::try_from(self.past[&record].len()).unwrap() - 1
    }

    pub fn is_free(&self, name: &PidName, record: usize) -> bool {
        match self.pids.get(name) {
            None => true,
            Some(pid) if pid.status == 'M' => false,
            Some(pid) => match pid.record {
                Some(owner) => owner == record,
                None => pid.status != 'D',
            },
        }
    }

    pub fn take(&mut self, name: &PidName, record: usize, live: bool) {
        let has_it = self.pids.get(name).is_some_and(|pid| pid.record == Some(record));
        if !has_it {
            let status = if live { 'R' } else { 'D' };
            let pid = ModelPid { status, record: Some(record), to: None };
            self.pids.insert(name.clone(), pid);
        }
    }

    pub fn led_to(&self, name: &PidName) -> bool {
        self.pids.values().any(|pid| pid.to.as_ref() == Some(name))
    }

    /// What a record's death or return means for its PIDs.
    pub fn turn_pids(&mut self, record: usize, live: bool) {
        let led_to: Vec<PidName> =
            self.pids.keys().filter(|name| self.led_to(name)).cloned().collect();
        self.pids.retain(|name, pid| {
            let is_unknown = pid.record == Some(record) && pid.status == 'N';
            live || !is_unknown || led_to.contains(name)
        });
        for pid in self.pids.values_mut().filter(|pid| pid.record == Some(record)) {
            match (live, pid.status) {
                (false, _) => pid.status = 'D',
                (true, 'D') => pid.status = 'R',
                (true, _) => {}
            }
        }
    }

    pub fn own(record: usize) -> PidName {
        PidName::recid(record_name(record)).unwrap()
    }

    pub fn create(&mut self, record: usize, title: u8, pids: &[PidName]) -> Told {
        if self.past.contains_key(&record) {
            return Err("id_taken");
        }
        let names: Vec<PidName> = [Model::own(record)].into_iter().chain(pids.to_vec()).collect();
        if names.iter().any(|name| !self.is_free(name, record)) {
            return Err("pid_taken");
        }
        self.past.insert(record, vec![Some(title)]);
        self.there.insert(record, true);
        names.iter().for_each(|name| self.take(name, record, true));
        Ok(())
    }

    pub fn change(
        &mut self,
        record: usize,
        title: Option<u8>,
        pids: &[PidName],
        stale: bool,
    ) -> Told {
        match () {
            () if !self.is_there(record) => return Err("not_found"),
            () if stale => return Err("stale"),
            () if !self.is_live(record) && title.is_none() => return Err("deleted"),
            () => {}
        }
        if pids.iter().any(|name| !self.is_free(name, record)) {
            return Err("pid_taken");
        }
        // PIDs are taken first: what was new goes with the record if it goes.
        self.past.get_mut(&record).unwrap().push(title);
        let was_live = self.past[&record].iter().rev().nth(1).unwrap().is_some();
        pids.iter().for_each(|name| self.take(name, record, title.is_some()));
        if was_live != title.is_some() {
            self.turn_pids(record, title.is_some());
        }
        Ok(())
    }

    pub fn erase(&mut self, record: usize, stale: bool) -> Told {
        if !self.is_there(record) {
            return Err("not_found");
        }
        if stale {
            return Err("stale");
        }
        let was_live = self.is_live(record);
        self.past.get_mut(&record).unwrap().push(None);
        self.there.insert(record, false);
        if was_live {
            self.turn_pids(record, false);
        }
        Ok(())
    }

    /// What a source's record meets with.
    pub fn load(&mut self, record: usize, title: Option<u8>) -> &'static str {
        let known = self.loaded.get(&record).copied();
        if known == Some(title) || (title.is_none() && !self.is_live(record)) {
            return "unchanged";
        }
        let erased = self.past.contains_key(&record) && !self.is_there(record);
        if erased || !self.is_free(&Model::own(record), record) {
            return "quarantined";
        }
        let fate = match (self.is_there(record), title) {
            (_, None) => "deleted",
            (false, Some(_)) => "created",
            (true, Some(_)) => "updated",
        };
        self.past.entry(record).or_default().push(title);
        self.there.insert(record, true);
        self.loaded.insert(record, title);
        fate
    }

    /// Loads a batch. For PIDs only counts what it comes to in the end.
    pub fn load_all(&mut self, records: &[(usize, Option<u8>)]) -> BTreeMap<&'static str, u64> {
        let were_live: Vec<Option<bool>> =
            (0..RECORDS).map(|r| self.is_there(r).then(|| self.is_live(r))).collect();
        let mut fates = BTreeMap::new();
        for (record, title) in records {
            *fates.entry(self.load(*record, *title)).or_insert(0) += 1;
        }
        for (record, was_live) in were_live.into_iter().enumerate() {
            let live = self.is_live(record);
            match was_live {
                None if self.is_there(record) => self.take(&Model::own(record), record, live),
                Some(was_live) if was_live != live => self.turn_pids(record, live),
                _ => {}
            }
        }
        fates
    }

    pub fn make_pid(&mut self, name: &PidName, status: PidStatus, record: Option<usize>) -> Told {
        if self.pids.contains_key(name) {
            return Err("pid_exists");
        }
        if record.is_some_and(|record| !self.is_there(record)) {
            return Err("not_found");
        }
        let status = status.as_str().chars().next().unwrap();
        self.pids.insert(name.clone(), ModelPid { status, record, to: None });
        Ok(())
    }

    pub fn change_pid(&mut self, name: &PidName, turn: &Turn) -> Told {
        let Some(pid) = self.pids.get(name).cloned() else { return Err("not_found") };
        let mut after = pid.clone();
        match (turn, pid.status) {
            (Turn::Reserve, 'N' | 'K') => after.status = 'K',
            (Turn::Register, 'N' | 'K') => after.status = 'R',
            (Turn::Reserve | Turn::Register, _) => return Err("pid_status"),
            (Turn::Delete, 'N') => {
                if self.led_to(name) {
                    return Err("pid_destination");
                }
                self.pids.remove(name);
                return Ok(());
            }
            (Turn::Delete, _) => (after.status, after.to) = ('D', None),
            (Turn::Unassign, status) => {
                let status = if status == 'M' { 'R' } else { status };
                after = ModelPid { status, record: None, to: None };
            }
            (Turn::Assign { .. }, 'D' | 'M') => return Err("pid_status"),
            (Turn::Assign { record, overwrite }, _) => {
                if pid.record.is_some_and(|owner| owner != *record) && !overwrite {
                    return Err("pid_assigned");
                }
                if !self.is_there(*record) && pid.record != Some(*record) {
                    return Err("not_found");
                }
                after.record = Some(*record);
            }
            (Turn::Redirect { to }, 'R' | 'M') => {
                let to = pid_name(*to);
                let mut next = Some(to.clone());
                while let Some(on_the_way) = next {
                    if on_the_way == *name {
                        return Err("pid_circle");
                    }
                    let Some(pid) = self.pids.get(&on_the_way) else { return Err("not_found") };
                    next = pid.to.clone();
                }
                after = ModelPid { status: 'M', record: None, to: Some(to) };
            }
            (Turn::Redirect { .. }, _) => return Err("pid_status"),
        }
        self.pids.insert(name.clone(), after);
        Ok(())
    }
}
