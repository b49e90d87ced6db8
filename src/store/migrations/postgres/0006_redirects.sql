-- recids of merged records, and those that they are to lead to; done once they do
create table windrow_redirect (
    source_name text not null,
    pid_value text not null,
    target text not null,
    place text not null,
    done boolean not null,
    primary key (source_name, pid_value)
);
