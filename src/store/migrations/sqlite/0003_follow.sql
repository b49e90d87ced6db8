-- which revision an item shows, null when that is not known; and the sets it is in by their search
-- patterns, with spaces between them, beside those it was put into
alter table windrow_oai add column version integer;
alter table windrow_oai add column matched text not null default '';

-- how far the projection has followed what others write, as JSON; where there are no records yet,
-- there is nothing to sweep
insert into windrow_setting (name, value)
select 'followed', '{"patterns":"[]","sweep":null,"watermark":0,"pass":null,"next":null,"unsure":[]}'
where not exists (select 1 from records_metadata);

-- SHA-256 of the source bytes that are kept, null when that is not known: bytes may change and the
-- record stay as it is
alter table windrow_ledger add column source blob;

-- an earlier windrow noted no responseDates: whatever it listed may have been asked for up to now
insert into windrow_setting (name, value)
select 'response_date', unixepoch() where exists (select 1 from windrow_oai);
