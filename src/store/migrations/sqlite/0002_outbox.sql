-- what changed, in order, for whoever indexes records; rows go once they are indexed. Numbers are
-- not given twice: windrow_setting.outbox_cleared remembers up to where rows have gone
create table windrow_outbox (
    number integer primary key,
    record_id blob not null,
    version_id integer not null,
    live integer not null
);
