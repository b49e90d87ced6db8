-- parts of records stop by themselves: part is the revision or the file that is held, empty for a
-- record as a whole
create table windrow_quarantine_of_parts (
    id integer primary key,
    source_name text not null,
    file text not null,
    number integer not null,
    part text not null,
    run_id integer not null,
    stage text not null,
    rule text,
    code text not null,
    message text not null,
    locator text not null,
    zstd blob not null,
    unique (source_name, file, number, part)
);
insert into windrow_quarantine_of_parts
    (id, source_name, file, number, part, run_id, stage, rule, code, message, locator, zstd)
select id, source_name, file, number, '', run_id, stage, rule, code, message, locator, zstd
from windrow_quarantine;
drop table windrow_quarantine;
alter table windrow_quarantine_of_parts rename to windrow_quarantine;

-- what became of the parts of a split's records, by kind, as JSON
alter table windrow_split add column kinds text not null default '{}';
