// The modules that the build compiles into the library, here: two small ones and
// lua/pllua/trusted.lua, read from the tree. The tests run in the top folder.
#include <fstream>
#include <sstream>
#include <string>

#include "lua/loader.h"

namespace pllua_bg::lua {

namespace {

const std::string &trusted_source() {
    static const std::string source = [] {
        std::ifstream file("lua/pllua/trusted.lua");
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }();
    return source;
}

constexpr char kGood[] = "local M = {name = ...}\nfunction M.fail()\n  error('from "
                         "inside')\nend\nM.env = _ENV\nreturn M\n";
constexpr char kBroken[] = "local x =\n= 1\n";

} // namespace

const EmbeddedModule kEmbeddedModules[] = {
    {"stub_good", "@lua/stub_good.lua", kGood, sizeof(kGood) - 1},
    {"stub.part", "@lua/stub/part.lua", kGood, sizeof(kGood) - 1},
    {"stub_broken", "@lua/stub_broken.lua", kBroken, sizeof(kBroken) - 1},
    {"pllua.trusted", "@lua/pllua/trusted.lua", trusted_source().c_str(), trusted_source().size()},
};
const int kEmbeddedModuleCount = sizeof(kEmbeddedModules) / sizeof(kEmbeddedModules[0]);

} // namespace pllua_bg::lua
