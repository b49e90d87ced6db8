-- a file's name may come again with other records in it: what is held is of the record with this
-- control number, empty when it could not be read
alter table windrow_quarantine add column control_number text not null default '';
alter table windrow_quarantine
    drop constraint windrow_quarantine_source_name_file_number_part_key;
alter table windrow_quarantine add unique (source_name, file, number, part, control_number);
