// What all background workers of this library have in common. Owns nothing.
#include "pg/background_worker.h"

#include "pg/library.h"

namespace pllua_bg::pg {

namespace {

// How a worker finds this library: by its plain name where the server looks anyway, else by
// its path.
void fill_library_name(BackgroundWorker *worker) {
    const char *path = library_path();
    const char *slash = strrchr(path, '/');
    Size folder = slash == nullptr ? 0 : static_cast<Size>(slash - path);
    const char *suffix = strrchr(path, '.');
    if (slash != nullptr && strlen(pkglib_path) == folder &&
        strncmp(path, pkglib_path, folder) == 0 && suffix != nullptr && suffix > slash) {
        strlcpy(worker->bgw_library_name, slash + 1,
                Min(kLibraryNameSize, static_cast<Size>(suffix - slash)));
        return;
    }
    if (strlcpy(worker->bgw_library_name, path, kLibraryNameSize) >= kLibraryNameSize)
        ereport(ERROR,
                (errcode(ERRCODE_CONFIG_FILE_ERROR),
                 errmsg("path of the library is too long for a background worker: \"%s\"", path)));
}

} // namespace

void describe_worker(BackgroundWorker *worker, const char *function, const char *type) {
    memset(worker, 0, sizeof *worker);
    worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker->bgw_start_time = BgWorkerStart_ConsistentState;
    worker->bgw_restart_time = BGW_NEVER_RESTART;
    worker->bgw_notify_pid = MyProcPid;
    fill_library_name(worker);
    strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
    strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}

} // namespace pllua_bg::pg
