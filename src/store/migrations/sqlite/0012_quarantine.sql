-- a file's name may come again with other records in it: what is held is of the record with this
-- control number, empty when it could not be read
create table windrow_quarantine_of_records (
    id integer primary key,
    source_name text not null,
    file text not null,
    number integer not null,
    part text not null,
    control_number text not null,
    run_id integer not null,
    stage text not null,
    rule text,
    code text not null,
    message text not null,
    locator text not null,
    zstd blob not null,
    format text,
    byte integer not null,
    unique (source_name, file, number, part, control_number)
);
insert into windrow_quarantine_of_records
    (id, source_name, file, number, part, control_number, run_id, stage, rule, code, message,
        locator, zstd, format, byte)
select id, source_name, file, number, part, '', run_id, stage, rule, code, message, locator, zstd,
    format, byte
from windrow_quarantine;
drop table windrow_quarantine;
alter table windrow_quarantine_of_records rename to windrow_quarantine;
