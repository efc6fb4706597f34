-- psql: bg.backfill with its progress
-- until: ^\(1 row\)
call bg.backfill('measure', 'update measure set half = value / 2.0 where id between $1 and $2',
    rows => 10000, workers => 4, progress => true);
