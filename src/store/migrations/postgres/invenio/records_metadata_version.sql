-- every revision of each record, as SQLAlchemy-Continuum keeps them: valid from transaction_id
-- up to end_transaction_id, which is null for the current one
create table records_metadata_version (
    id uuid not null,
    json jsonb,
    version_id integer,
    created timestamptz,
    updated timestamptz,
    transaction_id bigint not null,
    end_transaction_id bigint,
    operation_type smallint not null,
    constraint pk_records_metadata_version primary key (id, transaction_id)
);
create index ix_records_metadata_version_end_transaction_id
    on records_metadata_version (end_transaction_id);
create index ix_records_metadata_version_operation_type
    on records_metadata_version (operation_type);
create index ix_records_metadata_version_transaction_id
    on records_metadata_version (transaction_id);
