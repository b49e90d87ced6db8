-- the OAI sets that ListSets shows
create table oaiserver_set (
    id serial not null,
    spec varchar(255) not null,
    name varchar(255),
    description text,
    search_pattern text,
    system_created boolean not null default false,
    created timestamptz not null,
    updated timestamptz not null,
    constraint pk_oaiserver_set primary key (id),
    constraint uq_oaiserver_set_spec unique (spec)
);
create index ix_oaiserver_set_name on oaiserver_set (name);
