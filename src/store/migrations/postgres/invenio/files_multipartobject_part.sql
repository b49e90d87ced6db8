-- the parts of an upload that have come
create table files_multipartobject_part (
    upload_id uuid not null,
    part_number integer not null,
    checksum varchar(255),
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_files_multipartobject_part primary key (upload_id, part_number),
    constraint fk_files_multipartobject_part_upload_id_files_multipartobject foreign key (upload_id)
        references files_multipartobject (upload_id) on delete restrict
);
