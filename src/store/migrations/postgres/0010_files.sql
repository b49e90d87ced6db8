-- what Invenio has no column for in files_files: SHA-256 of the bytes as they came
create table windrow_file (
    id uuid primary key,
    sha256 bytea not null
);
