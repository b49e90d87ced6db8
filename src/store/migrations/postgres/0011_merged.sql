-- a merged record is asked for by its recid, whatever source it is of
create index windrow_redirect_pid_value on windrow_redirect (pid_value);
