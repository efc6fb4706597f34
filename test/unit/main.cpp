// The main program of the unit tests of src/lua: a plain program without a server.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
