// A library to preload into the server: at every longjmp it looks at the frames that will be skipped and reports those
// that had cleaning up to do. Such a frame is recognised by its exception table: at the place where it called out there is
// a landing pad (a destructor to run or a handler). Code compiled with -fexceptions has these tables also where the
// program itself never throws, so the module is built with that flag for this check; see tools/longjmp-sanitizer.
//
// Reports go to standard error, which is the server's log, and begin with "longjmp-sanitizer:".
// The tables follow the Itanium C++ ABI, "Exception Handling Tables"; the jump buffer is that of glibc on x86-64.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <unistd.h>
#include <unwind.h>

#ifndef __x86_64__
#error "only the jump buffer of x86-64 is known here"
#endif

namespace {

// The stack pointer that the jump will restore; glibc keeps it mangled with a secret of the thread.
std::uintptr_t target_stack(const void *buffer) {
    constexpr int kStackSlot = 6;
    std::uintptr_t value = static_cast<const std::uintptr_t *>(buffer)[kStackSlot];
    asm("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(value));
    return value;
}

// Reads one exception table, front to back.
struct TableReader {
    const unsigned char *at;

    std::uintptr_t leb128() {
        std::uintptr_t value = 0;
        for (int shift = 0;; shift += 7) {
            const unsigned char byte = *at++;
            value |= static_cast<std::uintptr_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
    }

    template <class T> std::uintptr_t fixed() {
        T value;
        std::memcpy(&value, at, sizeof value);
        at += sizeof value;
        return static_cast<std::uintptr_t>(static_cast<std::intptr_t>(value));
    }

    // A number in one of the DW_EH_PE formats; the relative forms do not occur in call-site tables.
    std::uintptr_t encoded(unsigned char format) {
        switch (format & 0x0f) {
        case 0x01: return leb128();
        case 0x02: return fixed<std::uint16_t>();
        case 0x03: return fixed<std::uint32_t>();
        case 0x0a: return fixed<std::int16_t>();
        case 0x0b: return fixed<std::int32_t>();
        default: return fixed<std::uint64_t>();
        }
    }
};

// Whether the function that starts at `start` has a landing pad for a call made at `pc`.
bool has_landing_pad(const unsigned char *table, std::uintptr_t start, std::uintptr_t pc) {
    constexpr unsigned char kOmitted = 0xff;
    TableReader reader{table};
    const unsigned char pad_format = *reader.at++;
    if (pad_format != kOmitted) reader.encoded(pad_format);
    const unsigned char type_format = *reader.at++;
    if (type_format != kOmitted) reader.leb128();
    const unsigned char site_format = *reader.at++;
    const std::uintptr_t length = reader.leb128();
    const unsigned char *end = reader.at + length;
    while (reader.at < end) {
        const std::uintptr_t first = start + reader.encoded(site_format);
        const std::uintptr_t size = reader.encoded(site_format);
        const std::uintptr_t pad = reader.encoded(site_format);
        reader.leb128(); // the action does not matter: any pad is work left undone
        if (pc < first) return false;
        if (pc < first + size) return pad != 0;
    }
    return false;
}

struct Walk {
    std::uintptr_t target;
    int found;
};

void report(const Walk &walk, std::uintptr_t pc) {
    Dl_info where = {};
    dladdr(reinterpret_cast<void *>(pc), &where);
    char line[512];
    const int length = std::snprintf(
        line, sizeof line, "longjmp-sanitizer: [%d] frame %d skipped with cleanups: %s+0x%lx %s\n",
        static_cast<int>(getpid()), walk.found, where.dli_fname != nullptr ? where.dli_fname : "?",
        static_cast<unsigned long>(pc - reinterpret_cast<std::uintptr_t>(where.dli_fbase)),
        where.dli_sname != nullptr ? where.dli_sname : "");
    if (length > 0 && write(STDERR_FILENO, line, static_cast<std::size_t>(length)) < 0) return;
}

_Unwind_Reason_Code look_at_frame(_Unwind_Context *context, void *argument) {
    auto *walk = static_cast<Walk *>(argument);
    if (_Unwind_GetCFA(context) >= walk->target) return _URC_END_OF_STACK; // the frame that is jumped to
    const auto *table = static_cast<const unsigned char *>(_Unwind_GetLanguageSpecificData(context));
    if (table == nullptr) return _URC_NO_REASON;
    int at_signal = 0;
    std::uintptr_t pc = _Unwind_GetIPInfo(context, &at_signal);
    if (at_signal == 0) pc--; // a return address: the call is before it
    if (has_landing_pad(table, _Unwind_GetRegionStart(context), pc)) {
        walk->found++;
        report(*walk, pc);
    }
    return _URC_NO_REASON;
}

using Jump = void (*)(void *, int);

[[noreturn]] void checked_jump(const char *name, void *buffer, int value) {
    Walk walk{target_stack(buffer), 0};
    _Unwind_Backtrace(look_at_frame, &walk);
    auto jump = reinterpret_cast<Jump>(dlsym(RTLD_NEXT, name));
    jump(buffer, value);
    __builtin_unreachable();
}

} // namespace

// The four names under which a jump reaches glibc. The assembler names avoid a clash with glibc's declarations.
#define JUMP(function, symbol)                                                                     \
    extern "C" [[noreturn, gnu::visibility("default")]] void function(void *, int) __asm__(symbol); \
    void function(void *buffer, int value) { checked_jump(symbol, buffer, value); }

JUMP(preload_longjmp, "longjmp")
JUMP(preload_underscore_longjmp, "_longjmp")
JUMP(preload_siglongjmp, "siglongjmp")
JUMP(preload_longjmp_chk, "__longjmp_chk")

// Proves in the log that the library is loaded.
__attribute__((constructor)) static void announce() {
    static const char text[] = "longjmp-sanitizer is watching\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}
