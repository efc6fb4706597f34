// Every call that the module makes of a function of the server's or of Lua goes through here: the module's table of the
// functions it imports is rewritten. Each place that calls the server with frames of Lua younger than the innermost handler is
// told once ("unguarded NAME"), and each that calls Lua where an error would cross a handler ("unprotected NAME").
// tools/guards/cannot-raise says which of these are right and why. The module is built with frame pointers for this.
#include "stack.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace guards {

namespace {

// One imported function. The stub jumps through the first field.
struct Import {
    void *target;
    const char *name;
    bool is_lua;
};

constexpr int kMaxImports = 2048;
constexpr std::size_t kThunkSize = 32;
constexpr int kMaxSites = 1 << 14;
constexpr int kDeepest = 4096;
constexpr unsigned kFullWalks = 64; // of a place, before only some of its calls are followed to the end

Import imports[kMaxImports];
int import_count;
unsigned char *thunks;

// A place that calls out.
struct Site {
    Address pc;
    unsigned walks;
    bool told;
} sites[kMaxSites];

// The calls that are running, the outermost first: the slot of the return address, and what it held.
struct Running {
    const Address *slot;
    Address pc;
} running[kDeepest];
int running_count;

Site *site_of(Address pc) {
    for (Address at = pc * 0x9E3779B97F4A7C15u >> 50;; at++) {
        Site *site = &sites[at & (kMaxSites - 1)];
        if (site->pc == 0) site->pc = pc;
        if (site->pc == pc) return site;
    }
}

void drop_left(Address stack) {
    while (running_count > 0) {
        const Running *last = &running[running_count - 1];
        if (reinterpret_cast<Address>(last->slot) >= stack && *last->slot == last->pc) return;
        running_count--;
    }
}

void tell(Site *site, const Import *import) {
    if (site->told) return;
    site->told = true;
    say("%s %s at 0x%lx", import->is_lua ? "unprotected" : "unguarded", import->name,
        static_cast<unsigned long>(site->pc - 1 - module.base));
}

bool is_worth_a_walk(Site *site) { return ++site->walks <= kFullWalks || site->walks % 1024 == 0; }

} // namespace

bool inside_module(Address stack) {
    drop_left(stack);
    return running_count > 0;
}

// slot: where the return address lies; frame: the frame pointer of the caller.
extern "C" [[gnu::visibility("hidden")]] void guards_check(Import *import, const Address *slot, const Address *frame) {
    drop_left(reinterpret_cast<Address>(slot));
    if (running_count < kDeepest) running[running_count++] = {slot, *slot};
    Site *site = site_of(*slot);
    Address pc = *slot;
    while (module.has(pc)) {
        const auto *older = reinterpret_cast<const Address *>(frame[0]);
        slot = frame + 1;
        pc = *slot;
        frame = older;
    }
    const auto outside = reinterpret_cast<Address>(slot);
    const bool from_lua = lua.has(pc);
    const bool guard_is_younger = handler() < outside;
    if (import->is_lua) {
        if (!from_lua || guard_is_younger) tell(site, import);
    } else if (!guard_is_younger && (from_lua || (is_worth_a_walk(site) && lua_frame_below(handler()) != 0))) {
        tell(site, import);
    }
}

// Keeps what a call passes in registers; guards_check has to find the frame pointer of the caller.
asm(R"(
    .text
    .type guards_stub, @function
guards_stub:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    subq $208, %rsp
    andq $-16, %rsp
    movq %rdi, 0(%rsp)
    movq %rsi, 8(%rsp)
    movq %rdx, 16(%rsp)
    movq %rcx, 24(%rsp)
    movq %r8, 32(%rsp)
    movq %r9, 40(%rsp)
    movq %rax, 48(%rsp)
    movq %r11, 56(%rsp)
    movups %xmm0, 64(%rsp)
    movups %xmm1, 80(%rsp)
    movups %xmm2, 96(%rsp)
    movups %xmm3, 112(%rsp)
    movups %xmm4, 128(%rsp)
    movups %xmm5, 144(%rsp)
    movups %xmm6, 160(%rsp)
    movups %xmm7, 176(%rsp)
    movq %r11, %rdi
    leaq 8(%rbp), %rsi
    movq 0(%rbp), %rdx
    call guards_check
    movq 0(%rsp), %rdi
    movq 8(%rsp), %rsi
    movq 16(%rsp), %rdx
    movq 24(%rsp), %rcx
    movq 32(%rsp), %r8
    movq 40(%rsp), %r9
    movq 48(%rsp), %rax
    movq 56(%rsp), %r11
    movups 64(%rsp), %xmm0
    movups 80(%rsp), %xmm1
    movups 96(%rsp), %xmm2
    movups 112(%rsp), %xmm3
    movups 128(%rsp), %xmm4
    movups 144(%rsp), %xmm5
    movups 160(%rsp), %xmm6
    movups 176(%rsp), %xmm7
    leave
    .cfi_def_cfa %rsp, 8
    jmp *(%r11)
    .cfi_endproc
    .size guards_stub, . - guards_stub
)");
extern "C" void guards_stub();

namespace {

void *thunk_for(const char *name, void *target) {
    if (import_count == kMaxImports) fail("the module imports too much");
    Import *import = &imports[import_count];
    *import = {target, name, lua.has(reinterpret_cast<Address>(target))};
    unsigned char *code = thunks + kThunkSize * static_cast<std::size_t>(import_count++);
    void (*stub)() = guards_stub;
    std::memcpy(code, "\x49\xbb", 2); // mov $import, %r11
    std::memcpy(code + 2, &import, 8);
    std::memcpy(code + 10, "\x49\xba", 2); // mov $stub, %r10
    std::memcpy(code + 12, &stub, 8);
    std::memcpy(code + 20, "\x41\xff\xe2", 3); // jmp *%r10
    return code;
}

void rewrite(const ElfW(Rela) *relocations, std::size_t size, const ElfW(Sym) *symbols, const char *names, Address base) {
    const auto page = static_cast<Address>(sysconf(_SC_PAGESIZE));
    for (std::size_t i = 0; i < size / sizeof *relocations; i++) {
        const ElfW(Rela) *relocation = &relocations[i];
        if (ELF64_R_TYPE(relocation->r_info) != R_X86_64_JUMP_SLOT) continue;
        const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(relocation->r_info)];
        const char *name = names + symbol->st_name;
        void *target = dlsym(RTLD_DEFAULT, name);
        const auto at = reinterpret_cast<Address>(target);
        if (symbol->st_shndx != SHN_UNDEF || (!server.has(at) && !lua.has(at))) continue;
        auto *slot = reinterpret_cast<void **>(base + relocation->r_offset);
        mprotect(reinterpret_cast<void *>(reinterpret_cast<Address>(slot) & ~(page - 1)), page, PROT_READ | PROT_WRITE);
        *slot = thunk_for(name, target);
    }
}

int watch_object(dl_phdr_info *info, std::size_t, void *) {
    if (info->dlpi_addr != module.base) return 0;
    const ElfW(Dyn) *entry = nullptr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = reinterpret_cast<const ElfW(Dyn) *>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (entry == nullptr) return 0;
    Address relocations = 0, size = 0, symbols = 0, names = 0;
    for (; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_JMPREL: relocations = entry->d_un.d_ptr; break;
        case DT_PLTRELSZ: size = entry->d_un.d_val; break;
        case DT_SYMTAB: symbols = entry->d_un.d_ptr; break;
        case DT_STRTAB: names = entry->d_un.d_ptr; break;
        default: break;
        }
    }
    rewrite(reinterpret_cast<const ElfW(Rela) *>(relocations), size, reinterpret_cast<const ElfW(Sym) *>(symbols),
            reinterpret_cast<const char *>(names), info->dlpi_addr);
    return 1;
}

} // namespace

void watch_calls() {
    const std::size_t size = kThunkSize * kMaxImports;
    thunks = static_cast<unsigned char *>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (thunks == MAP_FAILED) fail("no room for thunks");
    dl_iterate_phdr(watch_object, nullptr);
    if (import_count == 0) fail("the module's calls cannot be watched: link it so that they go through its table of imports");
}

} // namespace guards
