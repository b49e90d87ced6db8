-- which bucket has the files of a record
create table records_buckets (
    record_id binary(16) not null,
    bucket_id binary(16) not null,
    constraint pk_records_buckets primary key (record_id, bucket_id),
    constraint fk_records_buckets_bucket_id_files_bucket foreign key (bucket_id)
        references files_bucket (id),
    constraint fk_records_buckets_record_id_records_metadata foreign key (record_id)
        references records_metadata (id)
);
create index ix_records_buckets_bucket_id on records_buckets (bucket_id);
