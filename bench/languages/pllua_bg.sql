\ir pllua.sql
