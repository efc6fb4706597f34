-- psql: jobs, and how far they are
-- until: month 7
select bg.submit('public.nightly', options => '{"key": "nightly"}') as nightly,
    bg.submit('select 1', options => '{"delay": "1 hour"}') as later,
    bg.submit('vacuum measure', options => '{"transaction": false}') as vacuum;
select id, state, sql, progress_done as done, progress_total as total, progress_message as message
from bg.jobs order by id
\watch 1
