// Where this library is: not always in the server's own folder, as with extension_control_path.
// Owns nothing.
#include "pg/library.h"

#include <dlfcn.h>

namespace pllua_bg::pg {

const char *library_path() {
    Dl_info info;
    if (dladdr(reinterpret_cast<void *>(&library_path), &info) == 0 || info.dli_fname == nullptr)
        elog(ERROR, "could not find the path of the library");
    return info.dli_fname;
}

char *library_beside(const char *name) {
    const char *path = library_path();
    const char *slash = strrchr(path, '/');
    const int folder = slash == nullptr ? 0 : static_cast<int>(slash + 1 - path);
    return psprintf("%.*s%s", folder, path, name);
}

} // namespace pllua_bg::pg
