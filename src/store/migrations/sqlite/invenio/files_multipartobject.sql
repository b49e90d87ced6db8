-- uploads in parts that Invenio has begun; windrow makes none
create table files_multipartobject (
    upload_id binary(16) not null,
    bucket_id binary(16),
    key text,
    file_id binary(16) not null,
    chunk_size integer,
    size integer,
    completed boolean not null,
    created datetime not null,
    updated datetime not null,
    constraint pk_files_multipartobject primary key (upload_id),
    constraint uix_item unique (upload_id, bucket_id, key),
    constraint fk_files_multipartobject_bucket_id_files_bucket foreign key (bucket_id)
        references files_bucket (id) on delete restrict,
    constraint fk_files_multipartobject_file_id_files_files foreign key (file_id)
        references files_files (id) on delete restrict
);
create index ix_files_multipartobject_bucket_id on files_multipartobject (bucket_id);
