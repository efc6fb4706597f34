-- What the scenes of tools/site/scenes use.
set client_min_messages = warning;
create extension pllua_bg;
create extension pllua_bg_jobs;
create extension pllua_bg_dba;
create table measure (id bigint primary key, value int not null, half numeric);
insert into measure select n, n % 1000 from generate_series(1, 1500000) n;
vacuum analyze measure;
create function nightly() returns void language pllua_bg as $$
    for month = 1, 12 do
        bg.progress(month, 12, 'month ' .. month)
        bg.sleep(month == 7 and 3600 or 0)
    end
$$;
