-- pipelines that run at set times: the last of those times that was served (or the moment from
-- which they count, for one that has not run), and how that went. Times are in seconds since 1970
create table windrow_schedule (
    pipeline text primary key,
    served integer not null,
    next integer,
    started integer,
    finished integer,
    outcome text,
    message text,
    run_id integer
) without rowid;
