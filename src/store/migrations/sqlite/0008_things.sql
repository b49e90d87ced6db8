-- what a source has beside records (users, communities, tokens and the like), each as it came, for
-- a mapping to come
create table windrow_thing (
    source_name text not null,
    kind text not null,
    key text not null,
    hash blob not null,
    zstd blob not null,
    locator text not null,
    primary key (source_name, kind, key)
) without rowid;
