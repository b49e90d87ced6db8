-- what a source said of who may see a record or a part of it, and what became of that
create table windrow_access (
    id integer primary key,
    source_name text not null,
    source_id text not null,
    part text,
    said text not null,
    outcome text not null,
    rights text not null
);
create index windrow_access_of_record on windrow_access (source_name, source_id);

-- what a record needs to be read again: its format, and its place in bytes. Rows of an earlier windrow
-- have none
alter table windrow_quarantine add column format text;
alter table windrow_quarantine add column byte integer not null default 0;
