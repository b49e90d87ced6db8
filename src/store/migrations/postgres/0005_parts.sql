-- parts of records stop by themselves: part is the revision or the file that is held, empty for a
-- record as a whole
alter table windrow_quarantine add column part text not null default '';
alter table windrow_quarantine drop constraint windrow_quarantine_source_name_file_number_key;
alter table windrow_quarantine add unique (source_name, file, number, part);

-- what became of the parts of a split's records, by kind, as JSON
alter table windrow_split add column kinds text not null default '{}';
