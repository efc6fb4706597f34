// Error objects, SQLSTATE names, typed userdata.
#include <cstring>

#include <doctest/doctest.h>

#include "lua/sqlstate.h"
#include "lua/userdata.h"
#include "lua_support.h"

using namespace unit;

TEST_CASE("condition names and codes") {
    CHECK(std::string(lua::sqlstate_of("division_by_zero")) == "22012");
    CHECK(std::string(lua::sqlstate_of("22012")) == "22012");
    CHECK(std::string(lua::sqlstate_of("ZZ001")) == "ZZ001");
    CHECK(lua::sqlstate_of("no_such_condition") == nullptr);
    CHECK(lua::sqlstate_of("2201") == nullptr);
    CHECK(lua::sqlstate_of("220122") == nullptr);
    CHECK(lua::sqlstate_of("") == nullptr);
    CHECK(std::string(lua::sqlstate_of("warning")) == "01000");
    SUBCASE("one name for a warning and an error is the error") {
        CHECK(std::string(lua::sqlstate_of("string_data_right_truncation")) == "22001");
    }
    SUBCASE("one name for two errors is the later one, as in pllua") {
        CHECK(std::string(lua::sqlstate_of("null_value_not_allowed")) == "39004");
        CHECK(std::string(lua::sqlstate_of("reading_sql_data_not_permitted")) == "38004");
    }
    CHECK(std::string(lua::condition_of("00000")) == "successful_completion");
    CHECK(std::string(lua::condition_of("XX002")) == "index_corrupted");
    CHECK(std::string(lua::condition_of("57014")) == "query_canceled");
    CHECK(lua::condition_of("ZZ001") == nullptr);
    CHECK(std::string(lua::category_of("P0001")) == "plpgsql_error");
    CHECK(lua::category_of("ZZ001") == nullptr);
}

namespace {

int raise_full(lua_State *L) {
    lua::ErrorFields fields = {};
    fields.severity = "ERROR";
    fields.sqlstate = "23505";
    fields.message = "duplicate";
    fields.detail = "d";
    fields.hint = "h";
    fields.context = "c";
    fields.schema = "s";
    fields.table = "t";
    fields.column = "col";
    fields.datatype = "dt";
    fields.constraint = "con";
    fields.internal_query = "select";
    fields.source_file = "f.c";
    fields.source_line = 12;
    fields.position = 3;
    fields.internal_position = 4;
    fields.server = true;
    lua::raise_fields(L, fields);
}

int raise_short(lua_State *L) { lua::raise(L, "22012", "bad %s %d", "thing", 5); }

int raise_with_hint(lua_State *L) { lua::raise_hint(L, "ZZ001", "try again", "bad"); }

} // namespace

TEST_CASE("an error object has pllua's fields") {
    State state;
    lua_pushcfunction(state.L, raise_full);
    lua::set_global(state.L, "fail");
    CHECK(state.run("local ok, e = pcall(fail) return table.concat({tostring(ok), tostring(e), "
                    "type(e), e.errcode, e.sqlstate,"
                    "e.category, e.severity, e.message, e.detail, e.hint, e.context, e.schema, "
                    "e.table, e.column, e.datatype,"
                    "e.constraint, e.internal_query, e.position, e.internal_position, "
                    "e.pg_source_file, e.pg_source_line,"
                    "tostring(e.nothing)}, '|')") ==
          "false|ERROR: 23505 "
          "duplicate|userdata|unique_violation|23505|integrity_constraint_violation|error|"
          "duplicate|d|h|c|s|"
          "t|col|dt|con|select|3|4|f.c|12|nil");
    CHECK(state.run("local ok, e = pcall(fail) return getmetatable(e)") == "true");
    CHECK(state.run("local ok, e = pcall(fail) return e[nil]") ==
          "error: test:1: bad argument #2 to 'index' (string expected, got nil)");
    CHECK(state.run("local ok, e = pcall(fail) e.message = 'x'")
              .find("attempt to index a error object value") != std::string::npos);
    CHECK(state.run(
              "local ok, e = pcall(fail) local ok, e2 = pcall(error, e) return rawequal(e, e2)") ==
          "true");
}

TEST_CASE("raise formats its message and leaves the rest empty") {
    State state;
    lua_pushcfunction(state.L, raise_short);
    REQUIRE(lua_pcall(state.L, 0, 0, 0) == LUA_ERRRUN);
    REQUIRE(lua::is_error(state.L, -1));
    CHECK(std::string(lua::error_field(state.L, -1, "message")) == "bad thing 5");
    CHECK(lua::error_field(state.L, -1, "detail") == nullptr);
    CHECK(lua::error_field(state.L, -1, "no such field") == nullptr);
    CHECK_FALSE(lua::error_fields(state.L, -1)->server);
    lua_pushcfunction(state.L, raise_with_hint);
    REQUIRE(lua_pcall(state.L, 0, 0, 0) == LUA_ERRRUN);
    CHECK(std::string(lua::error_field(state.L, -1, "hint")) == "try again");
    lua::set_global(state.L, "e");
    CHECK(state.run("return e.errcode .. e.category .. tostring(e)") ==
          "ZZ001ZZ000ERROR: ZZ001 bad");
}

TEST_CASE("what is no error object is told apart") {
    State state;
    lua_State *L = state.L;
    lua_pushnil(L);
    lua_newtable(L);
    lua_newuserdatauv(L, 1, 0);
    lua_pushlightuserdata(L, L);
    for (int i = 1; i <= 4; ++i) CHECK_FALSE(lua::is_error(L, i));
    CHECK(lua_gettop(L) == 4);
    lua::push_out_of_memory(L);
    CHECK(lua::is_error(L, -1));
    CHECK(std::string(lua::error_field(L, -1, "sqlstate")) == "53200");
}

TEST_CASE("the module pllua.error") {
    State state;
    lua::open_error(state.L);
    lua::set_module(state.L, "pllua.error");
    lua::push_out_of_memory(state.L);
    lua::set_global(state.L, "e");
    CHECK(state.run("local E = require 'pllua.error' return table.concat({E.type(e), "
                    "tostring(E.type('x')), tostring(E.type()),"
                    "E.errcode(e), E.category(e), select('#', E.errcode('x')), select('#', "
                    "E.category())}, '|')") ==
          "error|nil|nil|out_of_memory|insufficient_resources|0|0");
}

namespace {

struct Thing {
    int number;
    double fraction;
};
constexpr char kThingType[] = "unit.thing";
constexpr char kOtherType[] = "unit.other";

int thing_number(lua_State *L) {
    lua_pushinteger(L, lua::check_userdata<Thing>(L, 1, kThingType)->number);
    return 1;
}

} // namespace

TEST_CASE("typed userdata is checked by its metatable") {
    State state;
    lua_State *L = state.L;
    CHECK(lua::new_metatable(L, kThingType, "thing"));
    CHECK_FALSE(lua::new_metatable(L, kThingType, "thing"));
    lua::new_metatable(L, kOtherType);
    lua_settop(L, 0);
    Thing *thing = lua::new_userdata<Thing>(L, kThingType, 1);
    CHECK(thing->number == 0);
    thing->number = 7;
    CHECK(lua::to_userdata<Thing>(L, 1, kThingType) == thing);
    CHECK(lua::to_userdata<Thing>(L, 1, kOtherType) == nullptr);
    CHECK(lua_gettop(L) == 1);
    lua::set_global(L, "thing");
    lua::new_userdata<Thing>(L, kOtherType);
    lua::set_global(L, "other");
    lua_pushcfunction(L, thing_number);
    lua::set_global(L, "number");
    CHECK(state.run("return number(thing)") == "7");
    CHECK(state.run("return number(other)") ==
          "error: test:1: bad argument #1 to 'number' (thing expected, got unit.other)");
    CHECK(state.run("return number()") ==
          "error: test:1: bad argument #1 to 'number' (thing expected, got no value)");
}
