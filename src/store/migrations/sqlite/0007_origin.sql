-- where records were harvested, of those that were, as JSON: base URL, identifier, datestamp and
-- namespace there, when, and what the endpoint itself said of an earlier one; kept and gone with
-- the source bytes
create table windrow_origin (
    source integer primary key references windrow_source (id) on delete cascade,
    origin text not null
);
