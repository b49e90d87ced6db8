//! Who may see a file or a record of Invenio v1, in terms of rights that can be given.
//!
//! What is restricted stays restricted, and so does what is not understood: rights are given only
//! to those whom the rules surely let in. What cannot be said by rights is told, not guessed.

use jiff::civil::Date;
use serde_json::{Map, Value as Json};

use super::firerole::{self, Value, Whom};

/// Who may see something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Those alone who are named.
    Restricted(Restriction),
    /// Nobody: it is deleted.
    Deleted,
}

/// Who may see something that not everybody may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restriction {
    /// Who has one of these addresses, in lower case.
    pub emails: Vec<String>,
    /// Who is in one of these groups.
    pub groups: Vec<String>,
    /// Who has one of these roles.
    pub roles: Vec<String>,
    /// Who has one of these numbers among the users of the old site.
    pub users: Vec<String>,
    /// From this day on, everybody.
    pub until: Option<Date>,
    /// Rules by which someone could see it and that no rights can say: by these nobody can now.
    pub lost: Vec<String>,
    /// Why nothing of it was understood.
    pub mistake: Option<String>,
}

/// What the `status` of a file says, on this day.
///
/// `today` decides on which side of its dates a rule stands; what becomes open later has
/// [`Restriction::until`].
#[must_use]
pub fn of_status(status: &str, today: Date) -> Access {
    let status = status.trim();
    match status {
        "" => return Access::Open,
        "DELETED" => return Access::Deleted,
        _ => {}
    }
    let (kind, value) = status.split_once(':').unwrap_or(("", status));
    let value = value.trim();
    let mut restriction = Restriction::default();
    match kind.trim().to_ascii_lowercase().as_str() {
        "firerole" => return of_firerole(value, today),
        // A name for a right that only the old site's table of actions explains.
        "" | "status" if value.eq_ignore_ascii_case("restricted") => {}
        "email" => restriction.emails.push(value.to_lowercase()),
        "group" => restriction.groups.push(value.to_owned()),
        "role" => restriction.roles.push(value.to_owned()),
        "" | "status" if is_name(value) => restriction.roles.push(value.to_owned()),
        _ => {
            let expected = "expected `restricted`, the name of a role, or `firerole: …`";
            restriction.mistake = Some(format!("status is `{status}`, {expected}"));
        }
    }
    Access::Restricted(restriction)
}

/// What a record may be seen by that is in these restricted collections, by name: who may see all
/// of them. Each has `fireroles`, of which one is enough, and the addresses of `users`.
#[must_use]
pub fn of_collections(restricted: &Map<String, Json>, today: Date) -> Access {
    let collections = restricted.iter().map(|(name, said)| of_collection(name, said, today));
    collections.reduce(both).unwrap_or(Access::Open)
}

fn of_collection(name: &str, said: &Json, today: Date) -> Access {
    let list = |key: &str| said.get(key).and_then(Json::as_array).into_iter().flatten();
    let mut given = Restriction::default();
    for user in list("users") {
        match user.as_str() {
            Some(address) => given.emails.push(address.to_lowercase()),
            None => given.lost.push(format!("user {user} of collection {name}")),
        }
    }
    let mut access = Access::Restricted(given);
    for firerole in list("fireroles") {
        let other = match firerole.as_str() {
            Some(text) => of_firerole(text, today),
            None => {
                let mistake = format!("firerole of collection {name} is {firerole}, expected text");
                Access::Restricted(Restriction { mistake: Some(mistake), ..Restriction::default() })
            }
        };
        access = either(access, other);
    }
    access
}

/// Who may see it by one or the other.
fn either(one: Access, other: Access) -> Access {
    let (Access::Restricted(mut one), Access::Restricted(other)) = (one, other) else {
        // Neither is deleted: no firerole says so.
        return Access::Open;
    };
    one.emails.extend(other.emails);
    one.groups.extend(other.groups);
    one.roles.extend(other.roles);
    one.users.extend(other.users);
    one.lost.extend(other.lost);
    one.until = one.until.into_iter().chain(other.until).min();
    one.mistake = one.mistake.or(other.mistake);
    Access::Restricted(one)
}

/// Who may see it only by one and the other.
fn both(one: Access, other: Access) -> Access {
    let (mut one, other) = match (one, other) {
        (Access::Restricted(one), Access::Restricted(other)) => (one, other),
        (Access::Open, access) | (access, _) => return access,
    };
    one.emails.retain(|value| other.emails.contains(value));
    one.groups.retain(|value| other.groups.contains(value));
    one.roles.retain(|value| other.roles.contains(value));
    one.users.retain(|value| other.users.contains(value));
    one.lost.extend(other.lost);
    one.until = one.until.zip(other.until).map(|(one, other)| one.max(other));
    one.mistake = one.mistake.or(other.mistake);
    Access::Restricted(one)
}

fn is_name(value: &str) -> bool {
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '[' | ']');
    !value.is_empty() && value.chars().all(known)
}

/// What a firerole says, on this day.
#[must_use]
pub fn of_firerole(firerole: &str, today: Date) -> Access {
    let rules = match firerole::parse(firerole) {
        Ok(rules) => rules,
        Err(error) => {
            let mistake = Some(format!("firerole: {error}"));
            return Access::Restricted(Restriction { mistake, ..Restriction::default() });
        }
    };
    let mut walk = Walk { today, ..Walk::default() };
    for rule in rules {
        match (rule.allow, &rule.whom) {
            (true, Whom::Any) => return walk.everybody(&rule.text),
            (false, Whom::Any) => break,
            (false, Whom::Until(date)) | (true, Whom::From(date)) => walk.closed_until(*date),
            (false, Whom::From(date)) | (true, Whom::Until(date)) => {
                if walk.open_until(*date, &rule.text) {
                    break;
                }
            }
            (true, Whom::Field { name, not, values }) => walk.allow(name, *not, values, &rule.text),
            (false, Whom::Field { .. }) => walk.but = Some(rule.text),
        }
    }
    Access::Restricted(walk.restriction)
}

/// Rule after rule: what was said before the one that is looked at.
#[derive(Default)]
struct Walk {
    today: Date,
    restriction: Restriction,
    /// Only from this day on do further rules let anyone in.
    from: Option<Date>,
    /// A rule has kept some out, or does so later: whom a further rule lets in cannot be said.
    but: Option<String>,
}

impl Walk {
    fn closed_until(&mut self, date: Date) {
        if date > self.today {
            self.from = self.from.max(Some(date));
        }
    }

    /// Whether the day has come, so that no further rule lets anyone in.
    fn open_until(&mut self, date: Date, rule: &str) -> bool {
        // No right ends by itself.
        self.but = Some(rule.to_owned());
        date <= self.today
    }

    fn everybody(mut self, rule: &str) -> Access {
        match (&self.but, self.from) {
            (Some(but), _) => {
                self.restriction.lost.push(format!("{rule} (but {but})"));
                Access::Restricted(self.restriction)
            }
            (None, Some(from)) => {
                self.restriction.until = Some(from);
                Access::Restricted(self.restriction)
            }
            (None, None) => Access::Open,
        }
    }

    fn allow(&mut self, name: &str, not: bool, values: &[Value], rule: &str) {
        if let Some(but) = &self.but {
            return self.restriction.lost.push(format!("{rule} (but {but})"));
        }
        if let Some(from) = self.from {
            return self.restriction.lost.push(format!("{rule} (from {from})"));
        }
        let given = match name {
            "email" => &mut self.restriction.emails,
            "group" => &mut self.restriction.groups,
            "uid" => &mut self.restriction.users,
            _ => return self.restriction.lost.push(rule.to_owned()),
        };
        let mut is_lost = not;
        for value in values {
            match value {
                Value::Text(text) if !not && !text.contains('\\') => {
                    let lower = name == "email";
                    given.push(if lower { text.to_lowercase() } else { text.clone() });
                }
                _ => is_lost = true,
            }
        }
        if is_lost {
            self.restriction.lost.push(rule.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use serde_json::json;

    const TODAY: Date = date(2026, 6, 1);

    // What a status says, in a line.
    fn told(status: &str) -> String {
        line(of_status(status, TODAY))
    }

    fn line(access: Access) -> String {
        match access {
            Access::Open => "open".to_owned(),
            Access::Deleted => "deleted".to_owned(),
            Access::Restricted(restriction) => {
                let Restriction { emails, groups, roles, users, until, lost, mistake } =
                    restriction;
                let mut parts = vec!["restricted".to_owned()];
                for (name, list) in
                    [("email", emails), ("group", groups), ("role", roles), ("user", users)]
                {
                    parts.extend(list.iter().map(|value| format!("{name} {value}")));
                }
                parts.extend(until.map(|date| format!("until {date}")));
                parts.extend(lost.iter().map(|rule| format!("lost `{rule}`")));
                parts.extend(mistake);
                parts.join(", ")
            }
        }
    }

    #[test]
    fn a_status_says_who_may_see_a_file() {
        let expected = [
            ("", "open"),
            ("  ", "open"),
            ("DELETED", "deleted"),
            ("restricted", "restricted"),
            ("status: restricted", "restricted"),
            ("HR-Staff [HQ]", "restricted, role HR-Staff [HQ]"),
            ("role: staff", "restricted, role staff"),
            ("group: Board", "restricted, group Board"),
            ("email: Ada@Example.org", "restricted, email ada@example.org"),
            ("firerole: ", "restricted"),
            ("firerole: allow any", "open"),
            ("firerole: deny any", "restricted"),
            (
                "firerole: allow group \"board\",\"press\"\r\nallow email \"Ada@example.org\"",
                "restricted, email ada@example.org, group board, group press",
            ),
            ("firerole: allow uid '7'\ndeny any\nallow any", "restricted, user 7"),
        ];
        for (status, expected) in expected {
            assert_eq!(told(status), expected, "{status}");
        }
        assert_eq!(
            told("open: to all"),
            "restricted, status is `open: to all`, expected `restricted`, the name of a role, or \
             `firerole: …`"
        );
        assert_eq!(
            told("firerole: allow everybody"),
            "restricted, firerole: line 1 is `allow everybody`, expected values in quotation marks \
             or slashes, with commas between"
        );
    }

    #[test]
    fn a_record_in_restricted_collections_is_for_those_who_may_see_all_of_them() {
        let told =
            |collections: Json| line(of_collections(collections.as_object().unwrap(), TODAY));
        let board = json!({ "fireroles": ["allow group 'board'", "allow email 'B@b.org'"],
                            "users": ["Ada@example.org"] });
        let staff = json!({ "fireroles": ["allow group 'staff', 'board'\ndeny any"], "users": [] });
        let later = json!({ "fireroles": ["deny until '2030-01-01'\nallow any"] });
        let never = json!({ "fireroles": [["compiled", 1]], "users": [7] });
        let open = json!({ "fireroles": ["allow any"], "users": [] });
        assert_eq!(told(json!({})), "open");
        assert_eq!(
            told(json!({ "Board": board })),
            "restricted, email ada@example.org, email b@b.org, group board"
        );
        assert_eq!(told(json!({ "Board": board, "Staff": staff })), "restricted, group board");
        assert_eq!(told(json!({ "Later": later })), "restricted, until 2030-01-01");
        assert_eq!(told(json!({ "Board": board, "Later": later })), "restricted");
        assert_eq!(
            told(json!({ "Never": never })),
            "restricted, lost `user 7 of collection Never`, firerole of collection Never is \
             [\"compiled\",1], expected text"
        );
        assert_eq!(told(json!({ "Open": open })), "open");
        assert_eq!(
            told(json!({ "Open": open, "Staff": staff })),
            "restricted, group staff, group board"
        );
        assert_eq!(
            told(json!({ "Staff": staff, "Open": open })),
            "restricted, group staff, group board"
        );
        assert_eq!(told(json!({ "Nobody's": {} })), "restricted");
    }

    #[test]
    fn a_date_is_a_gate() {
        let expected = [
            ("deny until '2030-01-31'\nallow any", "restricted, until 2030-01-31"),
            ("allow from '2030-01-31'\nallow any", "restricted, until 2030-01-31"),
            (
                "deny until '2030-01-31'\ndeny until '2028-01-31'\nallow any",
                "restricted, until 2030-01-31",
            ),
            ("deny until '1996-02-01'\nallow all", "open"),
            ("allow from '1996-02-01'\nallow all", "open"),
            // Nobody is let in any more.
            ("allow until '1996-02-01'\nallow all", "restricted"),
            ("deny from '1996-02-01'\nallow all", "restricted"),
            (
                "allow until '2030-01-31'\nallow all",
                "restricted, lost `allow all (but allow until '2030-01-31')`",
            ),
            // Who is let in before the gate may see it at once.
            (
                "allow group 'board'\ndeny until '2030-01-31'\nallow any",
                "restricted, group board, until 2030-01-31",
            ),
            (
                "deny until '2030-01-31'\nallow group 'board'\n",
                "restricted, lost `allow group 'board' (from 2030-01-31)`",
            ),
            ("deny until '2026-06-01'\nallow any", "open"),
            ("deny until '2026-06-02'\nallow any", "restricted, until 2026-06-02"),
        ];
        for (firerole, expected) in expected {
            assert_eq!(told(&format!("firerole: {firerole}")), expected, "{firerole}");
        }
    }

    #[test]
    fn nobody_gets_a_right_whom_a_rule_may_keep_out() {
        let expected = [
            (
                "deny email 'eve@example.org'\nallow group 'board'",
                "restricted, lost `allow group 'board' (but deny email 'eve@example.org')`",
            ),
            (
                "deny remote_ip '10.0.0.0/8'\nallow any",
                "restricted, lost `allow any (but deny remote_ip '10.0.0.0/8')`",
            ),
            ("allow remote_ip '10.0.0.0/8'", "restricted, lost `allow remote_ip '10.0.0.0/8'`"),
            ("allow not group 'press'", "restricted, lost `allow not group 'press'`"),
            ("allow email /.*@example.org/", "restricted, lost `allow email /.*@example.org/`"),
            (
                "allow email /.*@example.org/, 'ada@example.com'",
                "restricted, email ada@example.com, lost `allow email /.*@example.org/, \
                 'ada@example.com'`",
            ),
            // Whom the first rule lets in, no later one keeps out.
            (
                "allow email 'a@b.org'\ndeny guest '1'\nallow any",
                "restricted, email a@b.org, lost `allow any (but deny guest '1')`",
            ),
        ];
        for (firerole, expected) in expected {
            assert_eq!(told(&format!("firerole: {firerole}")), expected, "{firerole}");
        }
    }
}
