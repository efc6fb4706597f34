// Fence of the ground floor: include it last in every src/lua/*.cpp.
// Refuses a server header above it.
#ifdef POSTGRES_H
#error "src/lua may not include a server header"
#endif
