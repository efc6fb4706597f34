// Enums as label strings, with a small cache of labels per type.
// Owns the caches (in the plan context); they are emptied when pg_enum changes.
#include "types/cast.h"
#include "types/helpers.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "utils/inval.h"
}

namespace pllua_bg::types {

// A direct-mapped cache: labels of a type have neighbouring OIDs.
struct EnumLabels {
    static constexpr int kSlots = 64;
    unsigned generation;
    Oid value[kSlots];
    NameData label[kSlots];
};

namespace {

unsigned generation;

const char *label_of(const Type *type, Oid value) {
    if (type->labels == nullptr)
        type->labels =
            static_cast<EnumLabels *>(MemoryContextAllocZero(plan_context(), sizeof(EnumLabels)));
    EnumLabels *labels = type->labels;
    if (labels->generation != generation) {
        memset(labels->value, 0, sizeof labels->value);
        labels->generation = generation;
    }
    const int slot = value % EnumLabels::kSlots;
    char *text = OutputFunctionCall(const_cast<FmgrInfo *>(&type->output), ObjectIdGetDatum(value));
    namestrcpy(&labels->label[slot], text);
    labels->value[slot] = value;
    pfree(text);
    return NameStr(labels->label[slot]);
}

void enum_to_lua(lua_State *L, const Type *type, Datum value) {
    const Oid oid = DatumGetObjectId(value);
    const EnumLabels *labels = type->labels;
    const int slot = oid % EnumLabels::kSlots;
    const char *label = nullptr;
    if (labels != nullptr && labels->generation == generation && labels->value[slot] == oid)
        label = NameStr(labels->label[slot]);
    else
        pg::call_own_subxact(L, [&] { label = label_of(type, oid); });
    lua_pushstring(L, label);
}

void forget_labels(Datum, pg::CacheId, uint32) { generation++; }

} // namespace

void initialize_enums() { CacheRegisterSyscacheCallback(ENUMOID, forget_labels, 0); }

const Family kEnumFamily = {
    .to_lua = enum_to_lua, .from_lua = generic_from_lua, .is_text = true, .tidy = true};

} // namespace pllua_bg::types
